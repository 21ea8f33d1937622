/** Trailing zeros of a numeric are kept from PostgreSQL to PostgreSQL, in each way of copying rows. */
import { expect, test } from 'vitest'
import { hashOfFields } from '../../src/engine/copy/plan/plan-hash.ts'
import { copyOf, makePlace, missing, perform, type Place } from '../support/copy-systems.ts'

const VALUES = ['1.10', '0.000', '100', '2.500', '-7.0', 'NaN']
const KEYED = 'k int PRIMARY KEY, n numeric'
const WAYS = [
  { way: 'frames', made: KEYED, more: {} },
  { way: 'a text key with a collation', made: 'k text COLLATE "und-x-icu" PRIMARY KEY, n numeric', more: {} },
  { way: 'upsert', made: KEYED, more: { onExisting: 'upsert' } },
  { way: 'a quarantined row', made: `${KEYED} CHECK (n <> 13)`, more: {} },
  { way: 'no key', made: 'k int, n numeric', more: {} },
] as const

async function places(made: string, skip: (when: boolean, why: string) => void): Promise<readonly [Place, Place]> {
  const why = await missing('postgresql')
  skip(why !== '', why)
  const [source, target] = [await makePlace('postgresql', ''), await makePlace('postgresql', '')]
  const rows = VALUES.map((value, k) => `('${k}', '${value}')`)
  await source.sql(`CREATE TABLE t (${made.replace(/ CHECK .*/, '')})`, `INSERT INTO t VALUES ${rows.join(', ')}`)
  await target.sql(`CREATE TABLE t (${made})`)
  return [source, target]
}

const all = async (place: Place): Promise<unknown> => place.rows('SELECT k, n FROM t WHERE n <> 13 ORDER BY k')

test.for(WAYS)('$way', { timeout: 60_000 }, async ({ way, made, more }, { skip }) => {
  const [source, target] = await places(made, skip)
  const isRefused = way === 'a quarantined row'
  if (isRefused) await source.sql("INSERT INTO t VALUES ('99', 13)")
  const { finished } = await perform(copyOf(source, target, 't', more))
  expect(finished).toMatchObject({ exitCode: isRefused ? 1 : 0, totals: { written: String(VALUES.length) } })
  expect(await all(target)).toEqual(await all(source))
})

test('a copy that began without these zeros is resumed without them', { timeout: 60_000 }, async ({ skip }) => {
  const [source, target] = await places('k text COLLATE "und-x-icu" PRIMARY KEY, n numeric', skip)
  const copy = copyOf(source, target, 't', { chunkRows: 2 })
  expect((await perform(copy)).finished).toMatchObject({ exitCode: 0 })
  const [[plan] = []] = await target.rows('SELECT plan FROM migration_plans')
  const before = String(plan).replace(
    '{\\"kind\\":\\"native\\",\\"name\\":\\"numeric\\"}',
    '{\\"kind\\":\\"decimal\\"}',
  )
  expect(before).not.toBe(plan)
  await target.sql(`UPDATE migration_plans SET plan = '${before}', plan_hash = '${hashOfFields(JSON.parse(before))}'`)
  const { finished } = await perform(copy)
  expect(finished).toMatchObject({ exitCode: 0 })
  expect(await target.rows('SELECT plan FROM migration_plans')).toEqual([[before]])
})

test('a numeric key finds its row in the target at any scale', { timeout: 60_000 }, async ({ skip }) => {
  const [source, target] = await places('n numeric PRIMARY KEY, k text', (when, why) => skip(when, why))
  await target.sql('INSERT INTO t VALUES (0.00, 1)')
  expect((await perform(copyOf(source, target, 't', { onExisting: 'upsert' }))).finished).toMatchObject({ exitCode: 0 })
  const diff = await perform({ kind: 'diff', from: source.url, to: target.url, tables: ['t'], rename: {}, limit: 10, fix: false, deleteExtra: false, workers: 1 }) // prettier-ignore
  expect(diff.finished).toMatchObject({ exitCode: 0 })
})
