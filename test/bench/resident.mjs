/**
 * Loaded with --import into a measured program and its threads: each writes samples of its memory, one line of JSON per
 * sample, and a heap snapshot each time the file `snapshot` next to the samples is touched.
 */
import fs from 'node:fs'
import path from 'node:path'
import v8 from 'node:v8'
import { isMainThread, threadId } from 'node:worker_threads'

const file = process.env['SLUICE_BENCH_RESIDENT']
const everyMs = Number(process.env['SLUICE_BENCH_EVERY_MS'])
if (file !== undefined && everyMs > 0) {
  const asked = path.join(path.dirname(file), 'snapshot')
  const begun = Date.now()
  let taken = 0
  setInterval(() => {
    const { rss, heapTotal, heapUsed, external, arrayBuffers } = process.memoryUsage()
    const thread = isMainThread ? 0 : threadId
    const sample = { at: Date.now(), thread, rss, heapTotal, heapUsed, external, arrayBuffers }
    fs.appendFileSync(file, `${JSON.stringify(sample)}\n`)
    const at = fs.statSync(asked, { throwIfNoEntry: false })?.mtimeMs ?? 0
    if (at > Math.max(begun, taken)) {
      taken = at
      v8.writeHeapSnapshot(`${file}.${thread}.${Math.round(at)}.heapsnapshot`)
    }
  }, everyMs).unref()
}
