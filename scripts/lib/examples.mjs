import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Strips the types off the examples, into dist/examples, beside the product as it was built: what they import from src is
 * above them there. What they are worth is checked by `npm test`.
 */
export async function buildExamples() {
  const { default: typescript } = await import('typescript');
  for (const example of readdirSync('examples')) {
    const output = join('dist/examples', example);
    mkdirSync(output, { recursive: true });
    for (const file of readdirSync(join('examples', example)).filter((name) => name.endsWith('.ts'))) {
      const { outputText } = typescript.transpileModule(readFileSync(join('examples', example, file), 'utf8'), {
        compilerOptions: {
          module: typescript.ModuleKind.ESNext,
          target: typescript.ScriptTarget.ES2023,
          verbatimModuleSyntax: true,
        },
      });
      const built = outputText.replaceAll("from '../../src/", "from '../../");
      writeFileSync(join(output, file.replace(/\.ts$/, '.js')), built);
    }
  }
}
