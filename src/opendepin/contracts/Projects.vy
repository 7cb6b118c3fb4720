# pragma version ==0.4.3
# @license Apache-2.0
"""
@title Projects
@notice One ERC-721 token per project, ids 1, 2, 3, ... A project's rights belong to the token's
    owner; it holds no money besides the treasury's part of the fees.
"""

from .interfaces import IProjects
from .modules import erc721
from .modules import fees

implements: IProjects

initializes: erc721
initializes: fees

exports: erc721.__interface__
exports: fees.__interface__

FEE_REASON: constant(bytes32) = 0x70726f6a6563742d666565000000000000000000000000000000000000000000
# Reason "project-fee" of what the Burner counts.

project_count: public(uint64)
project_name: public(HashMap[uint64, String[64]])
metadata_hash: public(HashMap[uint64, bytes32])


@deploy
def __init__(burner: address, treasury: address, fee: uint256, burn_bps: uint256):
    """
    @notice Start without projects.
    @param burner Where the burned share of fees goes.
    @param treasury Who pulls the rest of the fees and may propose other terms.
    @param fee Wei for each registration.
    @param burn_bps Share of the fee that is burned, basis points.
    """
    erc721.__init__("OpenDePIN Projects", "ODPP")
    fees.__init__(burner, treasury, fee, burn_bps)


@external
@payable
@nonreentrant
def register(name: String[64], metadata_hash: bytes32) -> uint64:
    """
    @notice Register a project for the caller; what is paid above the fee comes back.
    @param name Shown to people, not empty; names need not be unique.
    @param metadata_hash Hash of the project's description.
    @return The project's id.
    """
    assert len(name) != 0, "name"
    project: uint64 = self.project_count + 1
    self.project_count = project
    self.project_name[project] = name
    self.metadata_hash[project] = metadata_hash
    erc721._mint(msg.sender, convert(project, uint256))
    log IProjects.ProjectRegistered(
        project=project, owner=msg.sender, name=name, metadata_hash=metadata_hash
    )
    fees._charge(FEE_REASON)
    return project


@external
def describe(project: uint64, metadata_hash: bytes32):
    """
    @notice Replace the hash of a project's description; its owner alone.
    @param project The project.
    @param metadata_hash Hash of the new description.
    """
    assert msg.sender == erc721._owner_of(convert(project, uint256)), "owner"
    self.metadata_hash[project] = metadata_hash
    log IProjects.ProjectDescribed(project=project, metadata_hash=metadata_hash)
