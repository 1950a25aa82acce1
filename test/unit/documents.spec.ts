import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { blocksOf, coverageOf, DOCUMENTS, missingLines, modulesOf, stepsOf } from '../support/documents.js';

/** Run or compiled are `sh` and `ts`; the others are there to be read. */
const languages = ['sh', 'ts', 'json', 'text', ''];
const aCommand = /^\s*(\$ |(npm|npx|node|curl|quorate|docker|REPLICAS=\d+) )/;

describe('the documents', () => {
  it.each(DOCUMENTS)('%s says of each block what it is', (file) => {
    const document = readFileSync(file, 'utf8');
    for (const block of blocksOf(document)) {
      expect(languages).toContain(block.language);
      const isRead = block.language !== 'sh';
      const where = { file, text: block.text };
      if (isRead && block.mark !== 'prints') expect(where).not.toEqual({ file, text: expect.stringMatching(aCommand) });
      const test = coverageOf(block, document);
      if (test !== undefined) expect({ ...where, test, isThere: existsSync(test) }).toMatchObject({ isThere: true });
      const isKnown = /^(|prints|covered by test\/\S+: .+|compiled with:\n[\s\S]+)$/.test(block.mark);
      expect({ ...where, mark: block.mark, isKnown }).toMatchObject({ isKnown: true });
    }
  });

  it('are read as they are meant', () => {
    const document = [
      '```sh\none \\\n  more\ntwo\n```\n\n<!-- prints -->\n```\nid …\nend\n```',
      '<!-- covered by test/x: it takes a day -->\n```sh\nthree\n```',
      'and <!-- a remark --> then\n\n  ```ts\n  const a = 1;\n  ```\n',
      '<!-- compiled with:\nclass A {\n/* here */\n}\n-->\n```ts\nb = 1;\n```\n',
    ].join('\n\n');
    expect(stepsOf(document)).toEqual([{ command: 'one    more' }, { command: 'two', prints: 'id …\nend\n' }]);
    expect(blocksOf(document).map(({ language, mark }) => [language, mark.split('\n')[0]])).toEqual([
      ['sh', ''],
      ['', 'prints'],
      ['sh', 'covered by test/x: it takes a day'],
      ['ts', ''],
      ['ts', 'compiled with:'],
    ]);
    expect(coverageOf(blocksOf(document)[2]!, document)).toBe('test/x');
    expect(missingLines('a …\nc', 'A 12\nb\nc\n')).toEqual([]);
    expect(missingLines('c\na …', 'a 12\nb\nc\n')).toEqual(['a …']);
    expect(missingLines('a.c', 'abc')).toEqual(['a.c']);
  });

  it('have TypeScript that is compiled where the package is', () => {
    expect([...modulesOf(DOCUMENTS).keys()]).toEqual(expect.arrayContaining(['README-1.mts', 'embedding-1.mts']));
  });
});
