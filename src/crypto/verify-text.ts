import { looksLikeStateProof, verifyStateProofText, type StateProofVerdict } from './state-proof.js';
import { verifyReceiptText, type ReceiptVerdict } from './verify-receipt.js';

/** Verifies a receipt, a reply or a proof of state, whichever the text is, as `verifyReceiptText` and `verifyStateProofText` do. */
export function verifyText(
  text: string | Uint8Array,
  membership: string | Uint8Array,
): ReceiptVerdict | StateProofVerdict {
  return isStateProof(text) ? verifyStateProofText(text, membership) : verifyReceiptText(text, membership);
}

function isStateProof(text: string | Uint8Array): boolean {
  try {
    return looksLikeStateProof(JSON.parse(typeof text === 'string' ? text : Buffer.from(text).toString('utf8')));
  } catch {
    return false; // it is refused as a receipt, with the reason
  }
}
