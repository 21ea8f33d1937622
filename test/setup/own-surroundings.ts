/**
 * Gives each test file its own temporary folder and none of the developer's settings. A file or folder with the prefix
 * `sluice-test-` that is left there fails the test file, so that leaks are found at once.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll } from 'vitest'

for (const name of ['SLUICE_DATABASE_URL', 'DATABASE_URL', 'SLUICE_CONFIG']) delete process.env[name]

// Hints contain the name by which the program was started: assertions must not depend on it.
process.env['SLUICE_PROGRAM'] = 'sluice'

const outer = os.tmpdir()
const own = fs.mkdtempSync(path.join(outer, 'sluice-file-'))
fs.chmodSync(own, 0o755) // a database server under another user needs access
process.env['TMPDIR'] = own
process.env['XDG_CONFIG_HOME'] = path.join(own, 'config')
process.env['XDG_STATE_HOME'] = path.join(own, 'state')

afterAll(() => {
  process.env['TMPDIR'] = outer
  const left = fs.readdirSync(own).filter((name) => name.startsWith('sluice-test-'))
  fs.rmSync(own, { recursive: true, force: true, maxRetries: 3 })
  if (left.length > 0) throw new Error(`this file left behind: ${left.join(', ')}`)
})
