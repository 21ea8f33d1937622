/** Columns with a wider type stay one column of the archive with --widen: older files keep their type. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { commandsOf, makeBookings, TABLE, type Form } from '../support/archive-places.ts'
import { makePlace, missing, perform, type System } from '../support/copy-systems.ts'
import { fsckOf, importOf } from './operation-kit.ts'
import type { Operation } from '../../src/app/operations/list.ts'

const PLACES: readonly (readonly [System, Form])[] = [
  ['postgresql', 'native'],
  ['postgresql', 'plain'],
  ['mysql', 'plain'],
]
const WITHOUT = new Map(await Promise.all(PLACES.map(async ([system]) => [system, await missing(system)] as const)))
const [OLD, NEW] = ['2020-Q1', '2020-Q2'] as const

type Commit = {
  readonly protocol?: { readonly readerFeatures?: readonly string[]; readonly writerFeatures?: readonly string[] }
  readonly metaData?: { readonly schemaString: string; readonly configuration: Record<string, string> }
}
type Field = { readonly name: string; readonly type: string; readonly metadata: Readonly<Record<string, unknown>> }

describe.each(PLACES)('%s, %s', (system, form) => {
  const why = WITHOUT.get(system) ?? ''
  let folder = ''
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-widen-'))))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const altered = (column: string, type: string): string =>
    system === 'mysql'
      ? `ALTER TABLE ${TABLE} MODIFY COLUMN ${column} ${type}`
      : `ALTER TABLE ${TABLE} ALTER COLUMN ${column} TYPE ${type}`

  /** The first quarter is archived, with `n` of 16 bits and `amount` of two decimals. */
  const archived = async () => {
    const bookings = await makeBookings(await makePlace(system, folder), form, mkdtempSync(join(folder, 'to-')), 60)
    const { place, to } = bookings
    await place.sql(`ALTER TABLE ${TABLE} ADD COLUMN n smallint`, `UPDATE ${TABLE} SET n = 32000`)
    const commands = commandsOf(bookings)
    const only = (label: string, more: object = {}): Operation & { kind: 'archive' } => ({
      ...(commands.run as Operation & { kind: 'archive' }),
      partitions: [label],
      ...more,
    })
    expect((await perform(only(OLD))).finished).toMatchObject({ exitCode: 0 })
    expect((await perform(only(OLD, { drop: true, confirm: TABLE }))).finished).toMatchObject({ exitCode: 0 })
    return {
      ...bookings,
      only,
      restore: { ...commands.restore, partitions: [OLD] } as Operation & { kind: 'restore' },
      verify: { ...commands.verify, deep: true } as Operation,
      asked: async (query: string): Promise<readonly (readonly unknown[])[]> => {
        const ran = await perform({ ...commands.query, query } as Operation)
        expect(ran.finished).toMatchObject({ exitCode: 0 })
        return ran.events.flatMap((event) => (event.type === 'row' ? [event.values.map(String)] : []))
      },
      /** The newest protocol, properties and schema of the Delta table. */
      newest: () => {
        const log = join(to, readdirSync(to)[0] ?? '', '_delta_log')
        const lines = readdirSync(log)
          .filter((name) => /^\d{20}\.json$/.test(name))
          .toSorted()
          .flatMap((name) => readFileSync(join(log, name), 'utf8').trim().split('\n'))
          .map((line) => JSON.parse(line) as Commit)
        const metadata = lines.findLast(({ metaData }) => metaData !== undefined)?.metaData
        const { fields } = JSON.parse(metadata?.schemaString ?? '{}') as { readonly fields: readonly Field[] }
        return {
          protocol: lines.findLast(({ protocol }) => protocol !== undefined)?.protocol,
          configuration: metadata?.configuration ?? {},
          field: (name: string) => fields.find((field) => field.name === name),
          names: fields.map(({ name }) => name),
        }
      },
    }
  }

  test.skipIf(why !== '')(`older files stay in the same column${why}`, async () => {
    const { place, to, only, asked, restore, verify, newest } = await archived()
    await place.sql(altered('n', 'integer'), altered('amount', 'numeric(20,4)'), `UPDATE ${TABLE} SET n = 2000000000`)
    const planned = await perform(only(NEW, { dryRun: true }))
    const notes = planned.events.flatMap((event) => (event.type === 'log' ? [event.message] : [])).join('\n')
    expect(notes).toContain('--widen keeps it one column')
    expect((await perform(only(NEW, { widen: true }))).finished).toMatchObject({ exitCode: 0 })

    const { protocol, configuration, field, names } = newest()
    expect(protocol?.readerFeatures).toContain('typeWidening')
    expect(protocol?.writerFeatures).toContain('typeWidening')
    expect(configuration['delta.enableTypeWidening']).toBe('true')
    expect(names).toEqual(['id', 'at', 'note', 'amount', 'n', 'sluice_partition'])
    expect(field('n')).toMatchObject({
      type: 'integer',
      metadata: { 'delta.typeChanges': [{ fromType: 'short', toType: 'integer' }] },
    })
    expect(field('amount')).toMatchObject({
      type: 'decimal(20,4)',
      metadata: { 'delta.typeChanges': [{ fromType: 'decimal(12,2)', toType: 'decimal(20,4)' }] },
    })
    const sums = `SELECT count(*), sum(n), sum(amount) FROM ${TABLE}`
    const all = [['180', String(60 * 32_000 + 120 * 2_000_000_000), String(3 * 48 * 30.25 + 0)]]
    const [[, , amounts] = []] = await asked(sums)
    expect((await asked(sums))[0]?.slice(0, 2)).toEqual(all[0]?.slice(0, 2))
    expect((await perform(verify)).finished).toMatchObject({ exitCode: 0 })

    const catalog = `sqlite:///${join(mkdtempSync(join(folder, 'catalog-')), 'catalog.db')}`
    const table = join(to, readdirSync(to)[0] ?? '')
    expect((await perform(importOf(table, catalog))).finished).toMatchObject({ exitCode: 0 })
    const validated = await perform({ kind: 'validate', table, catalog, verbose: false, samples: 5 })
    expect(validated.finished).toMatchObject({ exitCode: 0 })
    expect((await perform(fsckOf(table, { deep: true }))).finished).toMatchObject({ exitCode: 0 })

    const elsewhere = { ...restore, partitions: [OLD, NEW], into: 'copies' }
    expect((await perform(elsewhere)).finished).toMatchObject({ exitCode: 0 })
    expect(await place.rows('SELECT count(*), sum(n) FROM copies')).toEqual([
      ['120', String(60 * 32_000 + 60 * 2_000_000_000)],
    ])

    await place.sql(altered('n', 'bigint'))
    expect((await perform(restore)).finished).toMatchObject({ exitCode: 0 })
    expect(await place.rows(`SELECT count(*), sum(n) FROM ${TABLE}`)).toEqual([
      [form === 'native' ? '120' : '180', expect.any(String)],
    ])
    expect((await perform(only(OLD, { widen: true }))).finished).toMatchObject({ exitCode: 0 })
    expect(newest().field('n')).toMatchObject({
      type: 'long',
      metadata: {
        'delta.typeChanges': [
          { fromType: 'short', toType: 'integer' },
          { fromType: 'integer', toType: 'long' },
        ],
      },
    })
    expect(await asked(sums)).toEqual([[...(all[0]?.slice(0, 2) ?? []), amounts]])
    expect((await perform(verify)).finished).toMatchObject({ exitCode: 0 })
  })

  test.skipIf(why !== '')(`rows of older files are erased${why}`, async () => {
    const { place, only, asked, verify } = await archived()
    await place.sql(altered('n', 'integer'), `UPDATE ${TABLE} SET n = 2000000000`)
    expect((await perform(only(NEW, { widen: true }))).finished).toMatchObject({ exitCode: 0 })
    const erase = { kind: 'archive-erase', from: place.url, table: TABLE, confirm: TABLE, dryRun: false } as const
    for (const where of ['n = 2000000000 AND id = 100001', 'n = 32000 AND id = 1', 'n < 32001 AND id = 2']) {
      const { finished } = await perform({ ...erase, where, reason: `T ${where.length}` })
      expect(finished, where).toMatchObject({ exitCode: 0 })
    }
    expect(await asked(`SELECT count(*), count(*) FILTER (id < 3) FROM ${TABLE}`)).toEqual([['177', '1']])
    expect((await perform(verify)).finished).toMatchObject({ exitCode: 0 })
  })

  test.skipIf(why !== '')(`a type that is not wider becomes a new column in spite of --widen${why}`, async () => {
    const { place, only, newest } = await archived()
    await place.sql(altered('n', 'varchar(20)'))
    expect((await perform(only(NEW, { widen: true }))).finished).toMatchObject({ exitCode: 0 })
    expect(newest().names.some((name) => name.startsWith('n__smallint'))).toBe(true)
    expect(newest().protocol?.readerFeatures ?? []).not.toContain('typeWidening')
  })
})
