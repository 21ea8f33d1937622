/**
 * Partition values that other readers interpret differently, or that are invalid: `fsck` finds them file by file, and
 * `validate` notes them.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { temporaryFolder } from '../support/catalog-kit.ts'
import { fsckOf, importOf, perform, validateOf } from './operation-kit.ts'

const work = temporaryFolder()
afterAll(() => work[Symbol.dispose]())

type Values = Readonly<Record<string, string | null>>

/**
 * A table partitioned by an integer `n` and a decimal `d`, with one file for each of the values; the files do not
 * exist.
 */
function tableOf(name: string, files: readonly Values[]): string {
  const folder = join(work.path, name)
  mkdirSync(join(folder, '_delta_log'), { recursive: true })
  const fields = Object.entries({ id: 'long', n: 'integer', d: 'decimal(5,2)' })
  const schema = { type: 'struct', fields: fields.map(([of, type]) => ({ name: of, type, nullable: true, metadata: {} })) } // prettier-ignore
  const lines = [
    { protocol: { minReaderVersion: 1, minWriterVersion: 2 } },
    {
      metaData: {
        id: 'a0000000-0000-0000-0000-000000000000',
        format: { provider: 'parquet', options: {} },
        schemaString: JSON.stringify(schema),
        partitionColumns: ['n', 'd'],
        configuration: {},
        createdTime: 1,
      },
    },
    ...files.map((partitionValues, i) => ({
      add: { path: `f${i}.parquet`, partitionValues, size: 1, modificationTime: 1, dataChange: true },
    })),
  ]
  writeFileSync(
    join(folder, '_delta_log', `${'0'.repeat(20)}.json`),
    lines.map((one) => JSON.stringify(one)).join('\n'),
  )
  return folder
}

async function saidOf(
  table: string,
): Promise<{ readonly fsck: readonly string[]; readonly validate: readonly string[] }> {
  const fsck = await perform(fsckOf(table))
  const catalog = `sqlite:///${table}.db`
  expect((await perform(importOf(table, catalog))).finished.status).toBe('ok')
  const validated = await perform(validateOf(table, catalog))
  expect(validated.finished.status).toBe('ok')
  return {
    fsck: fsck.events.flatMap((event) =>
      event.type === 'fsck.finding' && event.finding.startsWith('partition-') ? [`${event.path}: ${event.detail}`] : [],
    ),
    validate: validated.notes.filter((note) => note.includes('partition value')),
  }
}

test('validate notes what fsck finds, once for each kind', async () => {
  const table = tableOf('spelled', [
    { n: '1', d: '1.50' },
    { n: '1.0', d: '1.5' },
    { n: '1.0', d: '1.5' },
    { n: '2e1', d: null },
    { n: 'abc', d: '1.50' },
    { n: '3' },
  ])
  const { fsck, validate } = await saidOf(table)
  expect(fsck).toHaveLength(7)
  const spelled = fsck.find((one) => one.startsWith('f1.parquet'))
  const wrong = fsck.find((one) => one.startsWith('f4.parquet'))
  expect(validate).toEqual([
    `${spelled}; the same holds for values of 2 other files; sluice fsck TABLE names each file`,
    `${wrong}; the same holds for values of another file; sluice fsck TABLE names each file`,
  ])
})

test('values that every reader interprets alike are not noted', async () => {
  const table = tableOf('plain', [
    { n: '1', d: '1.50' },
    { n: null, d: '' },
    { n: '-0', d: '-0.25' },
  ])
  expect(await saidOf(table)).toEqual({ fsck: [], validate: [] })
})
