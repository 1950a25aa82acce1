// bin/quorate.mjs, for a replica or a gateway (`replica --id NAME …`) that can be profiled.
import { profileOnSignal } from '../processes/profiling.mjs';

profileOnSignal(process.argv[process.argv.indexOf('--id') + 1]);
await import('../../bin/quorate.mjs');
