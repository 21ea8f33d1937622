import fs from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from './source-files.ts'

/**
 * Locally, tests that need the real tables are skipped with a note; in CI a missing folder must not look like success.
 */
test.runIf(process.env['CI'])('in CI the real tables exist', () => {
  const shared = process.env['SLUICE_SHARED'] ?? path.join(ROOT, '../shared')
  const list = path.join(shared, 'tables/expected.json')
  expect(fs.existsSync(list), `${list} is missing: set SLUICE_SHARED`).toBe(true)
})
