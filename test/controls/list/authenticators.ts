import type { Control } from '../control.js';

/** COMMITs that count by their MACs (rule 6). */
export const authenticators: readonly Control[] = [
  {
    name: 'MACs not looked at',
    rule: 6,
    scenario: 'COMMITs that are made up, MACs and all',
    edits: [
      {
        file: 'src/wire/authenticator.ts',
        find: 'return this.keys.fits(replicaIndex(signer), this.messageOf({ body, signature }), tag);',
        replace: 'return tag.length > 0 && this.messageOf({ body, signature }).length > 0;',
      },
    ],
  },
  {
    name: 'one session key for both directions',
    rule: 6,
    scenario: 'a MAC that comes back to who has made it',
    edits: [
      {
        file: 'src/crypto/session-keys.ts',
        find: '.u16(from).u16(to)',
        replace: '.u16(Math.min(from, to)).u16(Math.max(from, to))',
      },
    ],
  },
  {
    name: 'MACs that do not cover the signature',
    rule: 6,
    scenario: 'COMMITs whose signatures are exchanged on the way',
    edits: [
      {
        file: 'src/wire/authenticator.ts',
        find: 'return Buffer.concat([this.preamble, body, signature]);',
        replace: 'return Buffer.concat([this.preamble, body, signature.subarray(64)]);',
      },
    ],
  },
  {
    name: 'certificates of COMMITs whose signatures nobody has looked at',
    rule: 6,
    scenario: 'a COMMIT that nobody else can be shown',
    edits: [
      {
        file: 'src/replica/library.ts',
        find: 'certificateOf(place, (commit) => commits.isProven(commit))',
        replace: 'certificateOf(place, (commit) => commits.isProven(commit) || true)',
      },
    ],
  },
  {
    name: 'what cannot be proven said to be collected',
    rule: 6,
    scenario: 'a batch that one replica alone can prove',
    edits: [
      {
        file: 'src/replica/library.ts',
        find: "return found ? { batch: found.batch, commitFrames: found.commits.map(({ bytes }) => bytes) } : 'no proof';",
        replace:
          "return found ? { batch: found.batch, commitFrames: found.commits.map(({ bytes }) => bytes) } : 'nothing';",
      },
    ],
  },
  {
    name: 'what nobody can prove left as it is',
    rule: 6,
    scenario: 'a batch that nobody can prove',
    edits: [
      {
        file: 'src/pbft/suspicion.ts',
        find: 'if (isCounted && !core.isChangingView)',
        replace: 'if (!isCounted && core.isChangingView)',
      },
    ],
  },
  {
    name: 'views that change because a gateway asks',
    rule: 6,
    scenario: 'a batch that one replica alone can prove',
    edits: [
      {
        file: 'src/replica/library.ts',
        find: "if (found === 'no proof' && isPeer) this.onUnproven",
        replace: "if (found === 'no proof') this.onUnproven",
      },
    ],
  },
  {
    name: 'COMMITs dropped that come late',
    rule: 6,
    scenario: 'a COMMIT that comes too late to be needed',
    edits: [
      {
        file: 'src/pbft/replica.ts',
        find: "return isLate && !slot.commits.has(header.replica) ? 'not-needed' : 'already-executed';",
        replace: "return isLate ? 'already-executed' : 'already-executed';",
      },
    ],
  },
  {
    name: 'who vouches for false signatures believed on',
    rule: 6,
    scenario: 'a replica that goes on vouching for false signatures',
    edits: [{ file: 'src/replica/commit-votes.ts', find: 'this.liars.add(signed.signer);', replace: '' }],
  },
];
