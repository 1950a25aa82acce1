import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Something that must not stand in a file, what to write instead, and a line that shows that the rule sees it. */
interface Rule {
  readonly name: string;
  /** The files that it holds for, by their path from the repository's root. */
  readonly where: RegExp;
  readonly except?: RegExp;
  readonly banned: RegExp;
  /** Comments count, too. */
  readonly inComments?: true;
  readonly instead: string;
  readonly bad: { readonly file: string; readonly text: string };
  /** A line close by that is fine. */
  readonly good: string;
}

const CODE = /\.(?:ts|mjs|cjs|sh)$|^\.ci\//;
const SPEC = /^test\/.*\.(?:spec|compose)\.ts$/;

const RULES: readonly Rule[] = [
  {
    name: 'one reader of the environment',
    where: /^(?:src|bin|examples)\//,
    except: /^src\/config\//,
    banned: /\bprocess\s*\.\s*env\b|\benv\b.*from 'node:process'/,
    instead: 'add a setting to src/config, which checks it and names it when it is wrong',
    bad: { file: 'src/gateway/gateway.ts', text: 'const port = process.env.PORT;' },
    good: 'const port = settings.port;',
  },
  {
    name: 'no clock and no chance in the core or in state',
    where: /^src\/(?:pbft|state-machine|wire)\//,
    banned:
      /\bnew Date\b|\bDate\s*\.|\bDate\(|\bMath\.random\b|\bset(?:Timeout|Interval|Immediate)\b|\bperformance\b|\brandom(?:UUID|Bytes)\(/,
    instead: 'take ticks, and what time and randomness the batch brings: every replica must compute the same',
    bad: { file: 'src/pbft/timers.ts', text: 'const deadline = Date.now() + 1000;' },
    good: 'const deadlineTicks = tick + viewChangeTimeoutTicks;',
  },
  {
    name: 'one encoding',
    where: /^src\/(?:pbft|wire|state-machine|replica)\//,
    except: /^src\/wire\/json\.ts$/, // which says when it is canonical
    banned: /\bJSON\s*\.\s*stringify\b/,
    instead: 'canonicalJson: what is signed or hashed has one text, and JSON.stringify keeps the order of insertion',
    bad: { file: 'src/wire/reply.ts', text: 'const bytes = Buffer.from(JSON.stringify(result));' },
    good: 'const bytes = canonicalJsonBytes(result);',
  },
  {
    name: 'no printing past the logger',
    where: /^src\//,
    except: /^src\/(?:cli|cluster)\//,
    banned: /\bconsole\s*\.|\bprocess\.std(?:out|err)\b/,
    instead: 'the logger that is handed in: its lines have a level, a time and who says it',
    bad: { file: 'src/replica/host.ts', text: "console.log('executed', sequence);" },
    good: "logger.debug({ sequence }, 'executed');",
  },
  {
    name: 'every test runs',
    where: SPEC,
    banned: /\b(?:it|test|describe)\s*\.\s*(?:skip|only|todo)\b|\b(?:xit|xtest|xdescribe|fit|fdescribe)\s*\(/,
    instead: 'mend the test or delete it',
    bad: { file: 'test/unit/slot.spec.ts', text: "it.only('counts a vote once', () => {" },
    good: "it('counts a vote once', () => {",
  },
  {
    name: 'no sleeping until something has probably happened',
    where: SPEC,
    banned: /(?<!\bjest\.)\bsetTimeout\s*\(|\btimers\/promises\b/,
    instead: 'poll for the condition with a deadline (src/cluster/poll.ts, or a helper of test/support)',
    bad: { file: 'test/e2e/restart.spec.ts', text: 'await new Promise((resolve) => setTimeout(resolve, 500));' },
    good: 'const status = await poll(10_000, connectedAgain);',
  },
  {
    name: 'nothing left to do later',
    where: CODE,
    banned: /\b(?:TODO|FIXME|XXX|HACK)\b/,
    inComments: true,
    instead: 'do it, or open an issue',
    bad: { file: 'src/client/submission.ts', text: '// TODO: refuse a second reply' },
    good: '// A second reply is refused by its signer.',
  },
  {
    name: 'a silenced lint rule says why',
    where: CODE,
    banned: /eslint-disable(?!.* -- )|@ts-(?:ignore|nocheck)/,
    inComments: true,
    instead: "mend the code, or end the comment with ' -- ' and the reason",
    bad: { file: 'src/redis/redis-bus.ts', text: '// eslint-disable-next-line no-console' },
    good: '// eslint-disable-next-line no-control-regex -- it is control characters that are refused here',
  },
  {
    name: 'the names of the papers',
    where: /^(?:src|test|examples|scripts|bin)\/.*\.(?:ts|mjs)$/,
    banned:
      /\b(?:function|const|let|class|get|set|async)\s+\w*(?:leader|master)\w*|\b\w*(?:leader|master)\w*\s*\([^)]*\)\s*(?::[^{]*)?\{/i,
    instead: 'primary and backup, as the papers say',
    bad: { file: 'src/pbft/quorum.ts', text: 'export function leaderOf(view: View): ReplicaId {' },
    good: 'export function primaryOf(view: View): ReplicaId {',
  },
  {
    name: 'a lock file for every registry',
    where: /^package-lock\.json$/,
    banned: /"resolved"\s*:/,
    instead: "npm install --omit-lockfile-registry-resolved, so that each user's own registry serves the packages",
    bad: { file: 'package-lock.json', text: '"resolved": "https://registry.example/left-pad.tgz",' },
    good: '"integrity": "sha512-…",',
  },
];

const LINES_MAX = 350;
/** Tests are lists of cases: they may be longer. */
const TEST_LINES_MAX = 450;
const COMMENT = /^\s*(?:\/\/|\/?\*|#)/;
/** These words of the rules themselves. */
const THIS_FILE = 'test/unit/tidy.spec.ts';

function holdsFor({ where, except }: Rule, file: string): boolean {
  return where.test(file) && except?.test(file) !== true;
}

/** Where a file breaks a rule, as `file:line: what to do`. */
function breaches(rule: Rule, file: string, text: string): string[] {
  if (!holdsFor(rule, file)) return [];
  return text.split('\n').flatMap((line, index) => {
    if (!rule.inComments && COMMENT.test(line)) return [];
    return rule.banned.test(line) ? [`${file}:${index + 1}: ${line.trim()} → ${rule.instead}`] : [];
  });
}

function isTooLong(text: string, linesMax = LINES_MAX): boolean {
  return text.trimEnd().split('\n').length > linesMax;
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** What people wrote by hand, and the lock file. */
function house(): Map<string, string> {
  const folders = ['.ci', 'bin', 'examples', 'scripts', 'src', 'test'].flatMap(filesBelow);
  const top = readdirSync('.', { withFileTypes: true }).filter((entry) => entry.isFile() && CODE.test(entry.name));
  const files = [...folders, ...top.map(({ name }) => name), 'package-lock.json'].filter((file) => file !== THIS_FILE);
  return new Map(files.map((file) => [file, readFileSync(file, 'utf8')]));
}

describe('style', () => {
  const files = house();

  it('finds the house', () => {
    expect([...files.keys()]).toEqual(expect.arrayContaining(['src/pbft/replica.ts', '.ci/run', 'eslint.config.mjs']));
  });

  describe.each(RULES)('$name', (rule) => {
    it('holds everywhere', () => {
      expect([...files].flatMap(([file, text]) => breaches(rule, file, text))).toEqual([]);
    });

    it('refuses what it is there for, and only that', () => {
      const { file, text } = rule.bad;
      expect(breaches(rule, file, `\n${text}\n`)).toEqual([`${file}:2: ${text} → ${rule.instead}`]);
      expect(breaches(rule, file, `\n${rule.good}\n`)).toEqual([]);
    });
  });

  describe('no file is two rooms', () => {
    it('holds everywhere', () => {
      const long = [...files]
        .filter(
          ([file, text]) => CODE.test(file) && isTooLong(text, file.startsWith('test/') ? TEST_LINES_MAX : LINES_MAX),
        )
        .map(([file]) => file);
      expect(long).toEqual([]);
    });

    it(`refuses more than ${LINES_MAX} lines`, () => {
      expect(isTooLong('line\n'.repeat(LINES_MAX))).toBe(false);
      expect(isTooLong('line\n'.repeat(LINES_MAX + 1))).toBe(true);
    });
  });

  describe('what a rule leaves alone', () => {
    it.each([
      ['src/config/settings.ts', 'const port = process.env.PORT;'],
      ['src/cli/main.ts', "console.log('ready');"],
      ['src/pbft/view.ts', '// Date.now() would differ from replica to replica.'],
      ['test/support/eventually.ts', 'await new Promise((resolve) => setTimeout(resolve, 20));'],
      ['src/redis/connection.ts', "const role = 'master';"],
    ])('%s: %s', (file, text) => {
      expect(RULES.flatMap((rule) => breaches(rule, file, text))).toEqual([]);
    });
  });
});
