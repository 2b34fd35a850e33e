// SPDX-License-Identifier: Apache-2.0
// An independent judge of a transaction that Cloister signed: ethers and viem each parse the raw
// bytes, recover the sender and compute the hash; the node says what it mined.
// usage: node verify.mjs NODE_URL HASH ADDRESS VALUE_WEI [RAW_TX]
import { JsonRpcProvider, Transaction } from 'ethers';
import { keccak256, parseTransaction, recoverTransactionAddress } from 'viem';

const [url, hash, address, value, given] = process.argv.slice(2);

function must(condition, what) {
  if (!condition) {
    console.error(`verify: ${what}`);
    process.exit(1);
  }
}

must(value !== undefined, 'usage: node verify.mjs NODE_URL HASH ADDRESS VALUE_WEI [RAW_TX]');
const node = new JsonRpcProvider(url, undefined, { staticNetwork: true, batchMaxCount: 1 });
const receipt = await node.waitForTransaction(hash, 1, 20000);
must(receipt?.status === 1, 'the node did not mine it successfully');
const raw = given ?? (await node.send('eth_getRawTransactionByHash', [hash]));
const tx = Transaction.from(raw);
const viem = parseTransaction(raw);
const sender = await recoverTransactionAddress({ serializedTransaction: raw });

must(tx.hash === hash && keccak256(raw) === hash, 'the hash is not that of the raw bytes');
must(tx.from?.toLowerCase() === address.toLowerCase(), `ethers recovers ${tx.from}`);
must(sender.toLowerCase() === address.toLowerCase(), `viem recovers ${sender}`);
must(receipt.from.toLowerCase() === address.toLowerCase(), `the node recovered ${receipt.from}`);
must(tx.value === BigInt(value) && viem.value === BigInt(value), 'the value is another one');
must(tx.chainId === (await node.getNetwork()).chainId, 'the chain is another one');
console.log(`verified  ethers and viem recover ${tx.from} from the ${raw.length / 2 - 1} raw bytes,`);
console.log(`          the node mined the same hash in block ${receipt.blockNumber}, status 1`);
node.destroy();
