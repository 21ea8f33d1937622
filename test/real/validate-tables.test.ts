/** The validator over every real table: an imported table agrees with its log, and says so without a false alarm. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { SluiceError } from '../../src/shared/errors.ts'
import { differencesOf, imported, TABLES, validated } from './validate-setup.ts'

type Expected = { readonly table: string; readonly stated: { readonly must_fail?: boolean } }
const all = JSON.parse(readFileSync(join(TABLES, 'expected.json'), 'utf8')) as readonly Expected[]
/** Logs that an import refuses because they say too little: there is nothing to validate. */
const NO_TABLES = new Set(['delta-golden/data-reader-absolute-paths-escaped-chars'])
const only = process.env['SLUICE_TABLE']

describe('every real table', () => {
  for (const { table, stated } of all) {
    if (only !== undefined && !table.includes(only)) continue
    it(
      table,
      async () => {
        const folder = join(TABLES, table)
        try {
          await using subject = await imported(folder)
          const result = await validated(subject)
          expect(differencesOf(result.events)).toEqual([])
          expect(result.differences).toBe(0)
          expect(result.checks).toBeGreaterThan(10)
        } catch (error) {
          const refused = stated.must_fail === true || NO_TABLES.has(table)
          if (!(error instanceof SluiceError) || !refused) throw error
        }
      },
      240_000,
    )
  }
})
