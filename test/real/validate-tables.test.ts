/** The validator on every real table: an imported table agrees with its log, without a false alarm. */
import { describe, expect, it } from 'vitest'
import { SluiceError } from '../../src/shared/errors.ts'
import { expectedTables, folderOf, HAVE_TABLES, representative } from '../tables/shared-tables.ts'
import { shareOf } from '../support/backend.ts'
import { differencesOf, imported, validated } from './validate-setup.ts'

/** Logs that an import refuses because they are incomplete: there is nothing to validate. */
const NO_TABLES = new Set(['delta-golden/data-reader-absolute-paths-escaped-chars'])
const only = process.env['SLUICE_TABLE']

it.skipIf(!HAVE_TABLES)('the real tables are in ../shared', () => {
  expect(expectedTables().length).toBeGreaterThan(150)
})

describe.skipIf(!HAVE_TABLES)('every real table', () => {
  for (const { table, stated } of shareOf(representative(expectedTables(), 40), 5)) {
    if (only !== undefined && !table.includes(only)) continue
    it(
      table,
      async () => {
        try {
          await using subject = await imported(folderOf(table))
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
