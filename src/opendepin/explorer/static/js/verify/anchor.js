// What a bundle says of its network is held against the anchor by the steps that use it.

import { agree, hex } from "./bytes.js";

export function sameNetwork(c) {
  agree(c.bundle.network.network_id, hex(c.network), "the bundle is of another network");
  agree(c.bundle.network.chain_id, c.anchor.chain_id, "the bundle is of another chain");
}

export function sameMembers(c, role) {
  const [left, right] = [c.bundle.network[role], new Set(c.anchor[role])].map((members) => [...members].sort().join(", "));
  agree(left, right, `the bundle names other ${role} than the network's`);
}
