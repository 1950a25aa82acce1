import type { Control } from '../control.js';

/** COMMITs that open what PREPAREs have pledged (rule 6). */
export const pledges: readonly Control[] = [
  {
    name: 'a pledge that opens itself',
    rule: 6,
    scenario: 'PREPAREs that are passed off as COMMITs',
    edits: [
      {
        file: 'src/wire/pledges.ts',
        find: "const pledge = kind === 'commit' ? pledgeOf(last) : last;",
        replace: 'const pledge = last;',
      },
    ],
  },
  {
    name: 'pledges remembered that nobody has verified',
    rule: 6,
    scenario: 'a pledge that is made up, and opened',
    edits: [
      {
        file: 'src/wire/pledges.ts',
        find: "if (kind === 'commit' && this.pledges.has(name)) return true;",
        replace: "if (kind === 'commit' && this.pledges.has(name)) return true;\n    this.pledges.add(name, true);",
      },
    ],
  },
  {
    name: 'pledges remembered without what they were signed by',
    rule: 6,
    scenario: 'a pledge that is opened under no signature',
    edits: [{ file: 'src/wire/pledges.ts', find: '[body, pledge, signature].map(', replace: '[body, pledge].map(' }],
  },
  {
    name: 'an opening that does not depend on what is said',
    rule: 6,
    scenario: 'an opening that is used twice',
    edits: [
      {
        file: 'src/wire/pledges.ts',
        find: "this.signer.openingOf(Buffer.concat([this.preambleOf('commit'), body]))",
        replace: "this.signer.openingOf(this.preambleOf('commit'))",
      },
    ],
  },
  {
    name: 'a COMMIT that shows another PREPARE than was said',
    rule: 6,
    scenario: 'two NEW-VIEWs for one view, and a restart between them',
    edits: [
      {
        file: 'src/pbft/normal-case.ts',
        find: 'if (!maySay(core, kind, about) || !maySay(core, pledging, about)) return;',
        replace: 'if (!maySay(core, kind, about) || pledging === kind) return;',
      },
    ],
  },
];
