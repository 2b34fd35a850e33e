// SPDX-License-Identifier: Apache-2.0
// Gives an account test money on a development node (anvil_setBalance).
// usage: node fund.mjs NODE_URL ADDRESS ETHER
import { JsonRpcProvider, parseEther, toQuantity } from 'ethers';

const [url, address, ether] = process.argv.slice(2);
const node = new JsonRpcProvider(url, undefined, { staticNetwork: true, batchMaxCount: 1 });
await node.send('anvil_setBalance', [address, toQuantity(parseEther(ether))]);
console.log(`${address} has ${ether} ETH`);
node.destroy();
