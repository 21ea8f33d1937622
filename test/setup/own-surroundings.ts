/**
 * Each test file gets a temporary folder of its own and none of the developer's own settings. What a file leaves in its folder
 * under the prefix `sluice-test-` fails it: a leak found on the day it is written costs a minute, later an afternoon.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll } from 'vitest'

for (const name of ['SLUICE_DATABASE_URL', 'DATABASE_URL', 'SLUICE_CONFIG']) delete process.env[name]

// Hints name the program as it was started: what is asserted of them must not hang on that.
process.env['SLUICE_PROGRAM'] = 'sluice'

const outer = os.tmpdir()
const own = fs.mkdtempSync(path.join(outer, 'sluice-file-'))
fs.chmodSync(own, 0o755) // a database server under another user must get through
process.env['TMPDIR'] = own
process.env['XDG_CONFIG_HOME'] = path.join(own, 'config')
process.env['XDG_STATE_HOME'] = path.join(own, 'state')

afterAll(() => {
  process.env['TMPDIR'] = outer
  const left = fs.readdirSync(own).filter((name) => name.startsWith('sluice-test-'))
  fs.rmSync(own, { recursive: true, force: true, maxRetries: 3 })
  if (left.length > 0) throw new Error(`this file left behind: ${left.join(', ')}`)
})
