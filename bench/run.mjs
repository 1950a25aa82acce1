// npm run bench -- --quick
//
// `quorate bench`, after everything that is missing was installed and built.
process.argv.splice(1, 1, 'quorate', 'bench');
await import('../bin/quorate.mjs');
