import { execFile } from 'node:child_process';
import { mkdir, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { DOCUMENTS, modulesOf } from '../support/documents.js';
import { temporaryFolder, testTimeoutMs } from './support.js';

jest.setTimeout(testTimeoutMs);

const run = promisify(execFile);
/** All that `quorate/client` may need. */
const clientPackages = ['@noble', 'eventsource-parser', 'jsonc-parser', 'zod'];

/** What `npm install` of the packed tarball gives a project, with packages that are here already. */
describe('the packed package', () => {
  let folder: string;

  const project = async (name: string, packages: readonly string[]): Promise<string> => {
    const modules = join(folder, name, 'node_modules');
    await mkdir(modules, { recursive: true });
    await run('tar', ['-xf', join(folder, 'quorate.tgz'), '-C', modules]);
    await rename(join(modules, 'package'), join(modules, 'quorate'));
    for (const one of packages) await symlink(resolve('node_modules', one), join(modules, one));
    await writeFile(join(folder, name, 'package.json'), '{"private":true}');
    return join(folder, name);
  };

  const node = async (cwd: string, ...args: string[]): Promise<string> =>
    (await run(process.execPath, args, { cwd, env: { PATH: dirname(process.execPath) } })).stdout.trim();

  beforeAll(async () => {
    folder = await temporaryFolder();
    const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder]);
    await rename(join(folder, stdout.trim().split('\n').at(-1)!), join(folder, 'quorate.tgz'));
  });

  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it('is imported and required by each of its names, and type-checks, as does the TypeScript of all documents', async () => {
    const all = (await readdir('node_modules')).filter((name) => !name.startsWith('.') && name !== 'quorate');
    const cwd = await project('whole', all);
    const names = ['quorate', 'quorate/client', 'quorate/nest'];
    const wanted = [
      'createReplica ReplicaModule KeyValue connect QuorateError',
      'connect',
      'ReplicaModule GatewayModule QuorateClient',
    ];
    const check = `for (const [i, name] of ${JSON.stringify(names)}.entries()) for (const one of ${JSON.stringify(wanted)}[i].split(' ')) console.log(typeof loaded[i][one]);`;
    const functions = Array.from({ length: 9 }, () => 'function').join('\n');
    const required = `const loaded = ${JSON.stringify(names)}.map((name) => require(name)); ${check}`;
    expect(await node(cwd, '--input-type=commonjs', '-e', required)).toBe(functions);
    const imported = `const loaded = await Promise.all(${JSON.stringify(names)}.map((name) => import(name))); ${check}`;
    expect(await node(cwd, '--input-type=module', '-e', imported)).toBe(functions);

    await writeFile(
      join(cwd, 'app.mts'),
      `import { Module } from '@nestjs/common';
      import { z } from 'zod';
      import { ReplicaModule, type OperationContext, type StateMachine } from 'quorate';
      import { connect } from 'quorate/client';
      import { GatewayModule } from 'quorate/nest';
      type Vote = { readonly vote: number };
      class Votes implements StateMachine<Vote> {
        readonly name = 'votes@1';
        readonly operation = z.strictObject({ vote: z.number() });
        apply({ vote }: Vote, { state }: OperationContext) {
          state.set('vote', vote);
          return { ok: true };
        }
      }
      @Module({ imports: [ReplicaModule.forRoot({ stateMachine: Votes }), GatewayModule.forRoot({ stateMachine: new Votes(), port: 0 })] })
      export class AppModule {}
      export const text: Promise<string> = connect({ url: 'http://127.0.0.1:3000', genesis: '00' }).then(async (c) => (await c.submit({ vote: 1 })).id);
      // @ts-expect-error -- a state machine is more than its name
      ReplicaModule.forRoot({ stateMachine: { name: 'half' } });
      `,
    );
    const modules = modulesOf(DOCUMENTS);
    for (const [name, text] of modules) await writeFile(join(cwd, name), text);
    const compiler = resolve('node_modules/typescript/bin/tsc');
    const flags =
      '--noEmit --strict --module nodenext --target es2023 --experimentalDecorators --types node --skipLibCheck'.split(
        ' ',
      );
    expect(
      await node(cwd, compiler, ...flags, 'app.mts', ...modules.keys()).catch(
        (error: unknown) => (error as { stdout: string }).stdout,
      ),
    ).toBe('');
  });

  it('has a client that needs neither Nest nor Redis', async () => {
    const cwd = await project('client', clientPackages);
    const required = "console.log(typeof require('quorate/client').connect)";
    expect(await node(cwd, '--input-type=commonjs', '-e', required)).toBe('function');
  });
});
