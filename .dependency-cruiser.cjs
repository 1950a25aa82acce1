/**
 * Who may import whom. Each room of src/ is listed with the rooms that it may know; whatever is not listed is refused, and so
 * is a room that is not in the list. src/errors.ts is everybody's but the core's, which throws nothing that users meet.
 */
const ROOMS = {
  wire: ['crypto', 'ports', 'pbft'],
  crypto: ['wire', 'ports', 'pbft'],
  ports: ['wire', 'crypto', 'pbft'],
  'state-machine': ['wire', 'crypto', 'pbft'],
  determinism: ['state-machine', 'wire'],
  config: ['crypto', 'wire'],
  enrolment: ['wire', 'crypto', 'ports', 'pbft'],
  replica: ['wire', 'crypto', 'ports', 'pbft', 'state-machine', 'determinism', 'enrolment'],
  // Two ways to keep the ports' promises; neither knows the other, or a host.
  memory: ['wire', 'crypto', 'ports', 'pbft'],
  redis: ['wire', 'crypto', 'ports', 'pbft'],
  client: ['wire', 'crypto', 'ports', 'pbft', 'state-machine'],
  // Asynchronous requests, kept by BullMQ, which nobody else knows.
  queue: ['client', 'crypto', 'pbft', 'ports', 'redis', 'state-machine', 'wire'],
  // Who may do what, whatever the protocol over which they ask.
  access: ['config', 'ports'],
  // Edges bind the rest. The gateway reaches a cluster through `client` alone; the command line composes everything.
  gateway: ['access', 'client', 'config', 'crypto', 'pbft', 'ports', 'queue', 'state-machine', 'wire'],
  // What programs talk to a cluster with: over HTTP, or over a client of the bus that somebody else has opened.
  sdk: ['client', 'crypto', 'pbft', 'wire'],
  // Production code on simulated ports; only the command line knows it.
  simulator: ['client', 'crypto', 'memory', 'pbft', 'ports', 'replica', 'state-machine', 'wire'],
  cluster: ['config', 'crypto', 'enrolment', 'pbft', 'ports', 'redis', 'wire'],
};
const COMPOSERS = ['cli', 'embedding', 'nest'];
const CORE = 'pbft';

const known = [CORE, ...Object.keys(ROOMS), ...COMPOSERS].join('|');

/** One rule for each room: nothing of src/ but itself and what it may know. */
const directions = Object.entries(ROOMS).map(([room, mayKnow]) => {
  const allowed = [room, ...mayKnow].map((name) => `${name}/`);
  return {
    name: `${room}-knows-its-place`,
    comment: `src/${room} may import ${mayKnow.join(', ') || 'no other room'}: see ROOMS in .dependency-cruiser.cjs.`,
    severity: 'error',
    from: { path: `^src/${room}/` },
    to: { path: '^src/', pathNot: `^src/(${allowed.join('|')}|errors\\.ts$)` },
  };
});

module.exports = {
  forbidden: [
    ...directions,
    {
      name: 'every-room-is-listed',
      comment:
        'A new folder of src/ is a decision: say in ROOMS whom it may know, and in ARCHITECTURE.md what it is for.',
      severity: 'error',
      from: {},
      to: { path: '^src/[^/]+/', pathNot: `^src/(${known})/` },
    },
    {
      name: 'pure-core',
      comment:
        'The core imports nothing but itself: no room, package or module of Node.js brings in a clock, chance or I/O.',
      severity: 'error',
      from: { path: `^src/${CORE}/` },
      to: { pathNot: `^src/${CORE}/` },
    },
    {
      name: 'redis-behind-the-ports',
      comment: 'Whoever else needs Redis asks for a port, so that it can run in memory and in the simulator, too.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/redis/' },
      to: { path: '(^|/)node_modules/ioredis/' },
    },
    {
      name: 'bullmq-in-its-room',
      comment: 'Whoever else wants something done later asks src/queue for it.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/queue/' },
      to: { path: '(^|/)node_modules/(bullmq|@bull-board)/' },
    },
    {
      name: 'nest-at-the-edges',
      comment: 'A replica and the client run without Nest.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(gateway|cli|nest)/' },
      to: { path: '(^|/)node_modules/@nestjs/' },
    },
    {
      name: 'no-cycle',
      comment: 'Modules that need each other are one module, or hide a third one.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-test-in-the-product',
      severity: 'error',
      from: { path: '^(src|bin)/' },
      to: { path: '^(test|examples|scripts)/' },
    },
    {
      name: 'no-development-package-in-the-product',
      comment: 'It would be missing where only `dependencies` are installed.',
      severity: 'error',
      from: { path: '^(src|bin)/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^dist/' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    moduleSystems: ['es6', 'cjs'],
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
