/** The commands in a document's `sh` blocks, a continued line being one, without what is said about them. */
export function commandsOf(document: string): string[] {
  const blocks = [...document.matchAll(/```sh\n([\s\S]*?)```/g)];
  return blocks.flatMap(([, block = '']) => block.replaceAll('\\\n', ' ').trim().split('\n'));
}
