/** One temporary folder for a whole run of the tests, removed after it: also what a file that never loaded has made. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

export default function makeRunFolder(): () => void {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-run-'))
  fs.chmodSync(folder, 0o755)
  process.env['TMPDIR'] = folder // the workers inherit it
  return () => fs.rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
}
