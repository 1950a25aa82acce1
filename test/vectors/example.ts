import { membershipDocument } from '../../src/crypto/membership.js';
import { genesisBytes } from '../../src/crypto/genesis.js';
import { nodeHash } from '../../src/crypto/merkle.js';
import { genuine } from './genuine.js';
import { stepsOf } from './vector.js';

/** The worked example of docs/receipts.md, which is the vector valid-n4-size5: its blocks as they must stand there. */
export function workedExample(): readonly string[] {
  const made = genuine({ n: 4, size: 5, index: 3 });
  const { membership, reply } = made;
  const steps = stepsOf(made);
  const [sibling = '', left = '', right = ''] = reply.receipt.proof.path;
  const hex = (text = '') => Buffer.from(text, 'hex');
  const node1 = nodeHash(hex(sibling), hex(steps.leafHash));
  const node2 = nodeHash(hex(left), node1);
  const root = nodeHash(node2, hex(right));
  const lines = [
    ['genesisBytes', genesisBytes(membership.genesis).toString('hex')],
    ['genesisDigest', steps.genesisDigest],
    ['operation', steps.operation],
    ['operationDigest', steps.operationDigest],
    ['requestDigest', steps.requestDigest],
    ['result', steps.result],
    ['resultDigest', steps.resultDigest],
    ['leaf', `SHA-256(00 requestDigest resultDigest) = ${steps.leafHash ?? ''}`],
    ['i = 3, last = 4', `SHA-256(01 path[0] leaf)   = ${node1.toString('hex')}`],
    ['i = 1, last = 2', `SHA-256(01 path[1] above)  = ${node2.toString('hex')}`],
    ['i = 0, last = 1', `SHA-256(01 above path[2])  = ${root.toString('hex')}`],
    ['root', steps.root],
    ['statement', steps.statement],
  ];
  const width = Math.max(...lines.map(([name = '']) => name.length));
  const block = lines.map(([name = '', value = '']) => `${name.padEnd(width)}  ${value}`).join('\n');
  return [
    `\`\`\`json\n${JSON.stringify(membershipDocument(membership), null, 2)}\n\`\`\``,
    `\`\`\`json\n${JSON.stringify(reply, null, 2)}\n\`\`\``,
    `\`\`\`text\n${block}\n\`\`\``,
  ];
}
