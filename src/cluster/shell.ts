/** A word as a POSIX shell takes it, in quotes only where it must be. */
export function quote(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** A line that can be pasted into a shell: variables for this command alone, then the command. */
export function commandText(variables: Readonly<Record<string, string>>, words: readonly string[]): string {
  const assignments = Object.entries(variables).map(([name, value]) => `${name}=${quote(value)}`);
  return [...assignments, ...words.map(quote)].join(' ');
}
