/** Loaded with --import into a measured process: notes its peak memory where the measuring one will look. */
import fs from 'node:fs'
import { isMainThread } from 'node:worker_threads'

const file = process.env['SLUICE_BENCH_PEAK']
if (isMainThread && file !== undefined) {
  process.on('exit', () => fs.writeFileSync(file, String(process.resourceUsage().maxRSS * 1024)))
}
