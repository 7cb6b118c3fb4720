# pragma version ==0.4.3
# @license Apache-2.0
"""
@title Clean-air cover
@notice The demo project's contract: cover for regions against dirty air. The limit is a daily PM10 mean of
    50 ug/m3; each proven result says per region how many readings were valid and how many exceeded it.
    When the exceedances of a season pass a region's threshold, the payout is credited to the region, once
    per season, and its fund pulls it. Nothing here can make the result of a task fail.
@dev Outputs 0 to 64 are [count, exceedances, sum, min, max] for each region, in the program's order.
"""

from .interfaces import ICleanAirCover
from .interfaces import IProjects
from .interfaces import IResultReceiver

implements: ICleanAirCover
implements: IResultReceiver

REGIONS: constant(uint256) = 13
FIELDS: constant(uint256) = 5
SEASON: constant(uint256) = 182 * 86_400

# One word per region and season: exceedances | readings << 64 | threshold << 128 | paid << 192.
LONG_MASK: constant(uint256) = 2**64 - 1
PAID: constant(uint256) = 1 << 192

settlement: public(immutable(address))
projects: public(immutable(address))
project: public(immutable(uint64))
payout: public(immutable(uint256))

season: public(uint256)
season_end: public(uint256)
owed: public(uint256)
counted: public(HashMap[bytes32, bool])
_unpaid: uint256
_regions: uint256[REGIONS]
_credits: uint256[REGIONS]
_funds: address[REGIONS]


@deploy
def __init__(
    settlement_: address, projects_: address, project_: uint64, threshold: uint256, payout_: uint256
):
    """
    @notice Start the first season, with the same threshold for every region.
    @param settlement_ The only contract whose results count.
    @param projects_ The registry whose token owner is the insurer.
    @param project_ The only project whose results count.
    @param threshold Exceedances that a region bears; one more and its payout is due.
    @param payout_ Wei per region and season.
    """
    assert settlement_ != empty(address) and projects_ != empty(address), "address"
    assert threshold <= LONG_MASK, "threshold"
    assert 0 < payout_ and payout_ < 2**128, "payout"
    settlement = settlement_
    projects = projects_
    project = project_
    payout = payout_
    for i: uint256 in range(REGIONS):
        self._regions[i] = threshold << 128
    self._begin()


@external
@payable
def fund():
    """
    @notice Add cover. Anyone.
    """
    assert msg.value > 0, "value"
    log ICleanAirCover.Funded(sender=msg.sender, amount=msg.value)


@external
def name_fund(region: uint256, fund: address):
    """
    @notice Name who takes a region's payouts, once and for good. Only the project's owner.
    @param region 0 to 12.
    @param fund The region's fund.
    """
    self._only_owner()
    assert region < REGIONS, "region"
    assert fund != empty(address) and self._funds[region] == empty(address), "fund"
    self._funds[region] = fund
    log ICleanAirCover.FundNamed(region=region, fund=fund)


@external
def set_threshold(region: uint256, threshold: uint256):
    """
    @notice Set a region's threshold, as long as no reading of the season counted for it. Only the project's
        owner: who insures cannot move it afterwards.
    @param region 0 to 12.
    @param threshold Exceedances that the region bears.
    """
    self._only_owner()
    assert region < REGIONS, "region"
    assert threshold <= LONG_MASK, "threshold"
    assert self._readings(self._regions[region]) == 0, "started"
    self._regions[region] = threshold << 128
    log ICleanAirCover.ThresholdSet(region=region, threshold=threshold)


@external
def on_result(
    task: bytes32,
    project_: uint64,
    batch: uint64,
    segment_index: uint256,
    outputs: DynArray[uint256, 256],
):
    """
    @notice Count one proven result. Only settlement, for the covered project, each task once.
    @param task The settled task.
    @param project_ Its project.
    @param batch Its batch.
    @param segment_index Its segment.
    @param outputs The program's outputs.
    """
    assert msg.sender == settlement, "settlement"
    assert project_ == project, "project"
    assert len(outputs) >= REGIONS * FIELDS, "outputs"
    assert not self.counted[task], "counted"
    self.counted[task] = True
    if block.timestamp >= self.season_end:
        log ICleanAirCover.ResultOutOfSeason(task=task, season=self.season)
        return
    readings: uint256 = 0
    exceedances: uint256 = 0
    for i: uint256 in range(REGIONS):
        count: uint256 = outputs[i * FIELDS]
        if count > 0:
            exceeded: uint256 = outputs[i * FIELDS + 1]
            self._count(task, i, count, exceeded)
            readings += count
            exceedances += exceeded
    log ICleanAirCover.ResultCounted(
        task=task, season=self.season, readings=readings, exceedances=exceedances
    )


@external
def pay_due(region: uint256):
    """
    @notice Credit a payout that was due when the cover was short. Anyone.
    @param region 0 to 12.
    """
    assert region < REGIONS, "region"
    word: uint256 = self._regions[region]
    assert self._due(word), "not due"
    assert self._free() >= payout, "short"
    self._credit(region, word)


@external
@nonreentrant
def take(region: uint256):
    """
    @notice Take what is credited to a region. Only the region's fund.
    @param region 0 to 12.
    """
    assert region < REGIONS, "region"
    assert msg.sender == self._funds[region], "fund"
    amount: uint256 = self._credits[region]
    assert amount > 0, "credit"
    self._credits[region] = 0
    self.owed -= amount
    log ICleanAirCover.PayoutTaken(region=region, fund=msg.sender, amount=amount)
    raw_call(msg.sender, b"", value=amount)


@external
def start_season():
    """
    @notice Start the next season after the last one ended and all that is due was credited: counts go to
        zero, thresholds stay. Only the project's owner.
    """
    self._only_owner()
    assert block.timestamp >= self.season_end, "season"
    for i: uint256 in range(REGIONS):
        word: uint256 = self._regions[i]
        assert not self._due(word), "due"
        self._regions[i] = word & (LONG_MASK << 128)
    self._begin()


@external
@nonreentrant
def reclaim(amount: uint256):
    """
    @notice Take back cover that no region can claim: during a season what is above the payouts still
        possible, after it what is above those due. Only the project's owner.
    @param amount Wei.
    """
    self._only_owner()
    kept: uint256 = 0
    if block.timestamp < self.season_end:
        kept = self._unpaid * payout
    else:
        for i: uint256 in range(REGIONS):
            if self._due(self._regions[i]):
                kept += payout
    assert 0 < amount and amount + kept <= self._free(), "cover"
    log ICleanAirCover.Reclaimed(owner=msg.sender, amount=amount)
    raw_call(msg.sender, b"", value=amount)


@external
@view
def region(region: uint256) -> ICleanAirCover.Region:
    """
    @notice Return a region's season so far.
    @param region 0 to 12.
    @return Exceedances, readings, threshold, whether the payout was credited, wei to be taken, and the fund.
    """
    assert region < REGIONS, "region"
    word: uint256 = self._regions[region]
    return ICleanAirCover.Region(
        exceedances=word & LONG_MASK,
        readings=self._readings(word),
        threshold=self._threshold(word),
        paid=word & PAID != 0,
        credit=self._credits[region],
        fund=self._funds[region],
    )


@internal
def _begin():
    self.season += 1
    self.season_end = block.timestamp + SEASON
    self._unpaid = REGIONS
    log ICleanAirCover.SeasonStarted(season=self.season, ends=self.season_end)


@internal
def _count(task: bytes32, region: uint256, count: uint256, exceeded: uint256):
    word: uint256 = self._regions[region]
    exceedances: uint256 = (word & LONG_MASK) + exceeded
    readings: uint256 = self._readings(word) + count
    assert exceedances <= LONG_MASK and readings <= LONG_MASK, "overflow"
    word = (word >> 128) << 128 | readings << 64 | exceedances
    self._regions[region] = word
    if exceeded > 0:
        log ICleanAirCover.Exceeded(
            region=region, season=self.season, task=task, exceedances=exceedances
        )
    if self._due(word):
        if self._free() >= payout:
            self._credit(region, word)
        else:
            log ICleanAirCover.PayoutShort(
                region=region, season=self.season, exceedances=exceedances
            )


@internal
def _credit(region: uint256, word: uint256):
    self._regions[region] = word | PAID
    self._credits[region] += payout
    self.owed += payout
    self._unpaid -= 1
    log ICleanAirCover.PayoutDue(
        region=region, season=self.season, exceedances=word & LONG_MASK, amount=payout
    )


@internal
@view
def _due(word: uint256) -> bool:
    return word & PAID == 0 and word & LONG_MASK > self._threshold(word)


@internal
@view
def _free() -> uint256:
    return self.balance - self.owed


@internal
@pure
def _readings(word: uint256) -> uint256:
    return (word >> 64) & LONG_MASK


@internal
@pure
def _threshold(word: uint256) -> uint256:
    return (word >> 128) & LONG_MASK


@internal
@view
def _only_owner():
    assert (
        msg.sender == staticcall IProjects(projects).ownerOf(convert(project, uint256))
    ), "owner"
