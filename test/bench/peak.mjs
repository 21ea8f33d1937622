/** Loaded with --import into a measured process: writes its peak memory to a file for the measuring process. */
import fs from 'node:fs'
import { isMainThread } from 'node:worker_threads'

const file = process.env['SLUICE_BENCH_PEAK']
if (isMainThread && file !== undefined) {
  process.on('exit', () => fs.writeFileSync(file, String(process.resourceUsage().maxRSS * 1024)))
}
