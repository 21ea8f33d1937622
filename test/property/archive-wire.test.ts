/** Random tables with random values are equal after they were written to Parquet and read back. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { ParquetFiles } from '../../src/model/archive/parquet-port.ts'
import { canonicalDecimal } from '../../src/model/copy/decimal.ts'
import type { ColumnType } from '../../src/model/copy/column-type.ts'
import { rowText } from '../../src/model/copy/row-hash.ts'
import type { Cell, Row } from '../../src/model/copy/rows.ts'
import { openDuckdbParquetFiles } from '../../src/stores/duckdb/archive/index.ts'
import { column, csvOf, drained, gathered, NEVER, newFolder, stored, sumOf } from '../support/archive-kit.ts'

let folder: string
let files: ParquetFiles
beforeAll(async () => {
  folder = newFolder()
  files = await openDuckdbParquetFiles({ memoryBytes: 256 << 20, threads: 2, tempFolder: join(folder, 'temp') })
})
afterAll(async () => {
  await files[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

type Typed = { readonly type: ColumnType; readonly cell: fc.Arbitrary<Cell> }

const FIRST = Date.parse('0001-01-01T00:00:00Z')
const LAST = Date.parse('9999-12-31T23:59:59.999Z')
const moments = fc
  .tuple(fc.integer({ min: FIRST, max: LAST }), fc.integer({ min: 0, max: 999 }))
  .map(([at, micros]) => {
    const [day = '', clock = ''] = new Date(at).toISOString().slice(0, -1).split('T')
    const fraction = `${clock.slice(9)}${String(micros).padStart(3, '0')}`.replace(/0+$/, '')
    return `${day} ${clock.slice(0, 8)}${fraction === '' ? '' : `.${fraction}`}`
  })
const signed = (bits: bigint) => fc.bigInt({ min: -(1n << (bits - 1n)), max: (1n << (bits - 1n)) - 1n }).map(String)

function decimals(precision: number, scale: number): Typed {
  const most = 10n ** BigInt(precision) - 1n
  return {
    type: { kind: 'decimal', precision, scale },
    cell: fc.bigInt({ min: -most, max: most }).map((value) => canonicalDecimal(`${value}e-${scale}`)),
  }
}

const TYPES: readonly fc.Arbitrary<Typed>[] = [
  fc.constant({ type: { kind: 'int', bits: 64 }, cell: signed(64n) }),
  fc.constant({ type: { kind: 'int', bits: 8 }, cell: signed(8n) }),
  fc.constant({ type: { kind: 'text' }, cell: fc.string({ unit: 'binary', maxLength: 40 }) }),
  fc.constant({
    type: { kind: 'native', name: 'x' },
    cell: fc.string({
      unit: fc.constantFrom('"', ',', '\n', '\r', '\\', 'N', ' ', '\u{feff}', '\u0000', '😀'),
      maxLength: 8,
    }),
  }),
  fc.constant({ type: { kind: 'float', bits: 64 }, cell: fc.double() }),
  fc.constant({ type: { kind: 'float', bits: 32 }, cell: fc.float() }),
  fc.constant({ type: { kind: 'bytes' }, cell: fc.uint8Array({ maxLength: 20 }) }),
  fc.constant({ type: { kind: 'bool' }, cell: fc.constantFrom('0', '1') }),
  fc.constant({ type: { kind: 'timestamp', zone: true, digits: 6 }, cell: moments }),
  fc.constant({ type: { kind: 'timestamp', zone: false, digits: 6 }, cell: moments }),
  fc.constant({ type: { kind: 'date' }, cell: moments.map((text) => text.slice(0, 10)) }),
  fc
    .integer({ min: 1, max: 38 })
    .chain((precision) => fc.integer({ min: 0, max: precision }).map((scale) => decimals(precision, scale))),
]

const tables = fc.array(fc.oneof(...TYPES), { minLength: 1, maxLength: 6 }).chain((columns) =>
  fc.record({
    types: fc.constant(columns.map(({ type }) => type)),
    rows: fc.array(fc.tuple(...columns.map(({ cell }) => fc.option(cell))) as fc.Arbitrary<Row>, { maxLength: 30 }),
    sorted: fc.boolean(),
    step: fc.integer({ min: 1, max: 300 }),
  }),
)

const texts = (rows: readonly Row[]): string[] => rows.map(rowText).toSorted()

it('rows are equal after writing and reading files', async () => {
  let count = 0
  await fc.assert(
    fc.asyncProperty(tables, async ({ types, rows, sorted, step }) => {
      const table = stored(
        types.map((type, i) => column(`c${i}`, type)),
        { sortBy: sorted ? ['c0'] : [] },
      )
      const { columns } = table
      const write = async (csv: AsyncIterable<Buffer>): Promise<string[]> => {
        const request = {
          table,
          folder: join(folder, 'files'),
          prefix: `p${++count}`,
          fileBytes: 1 << 20,
          signal: NEVER,
        }
        return (await files.write(request, csv)).map(({ name }) => join(request.folder, name))
      }
      const request = { columns, files: await write(csvOf(rows, columns, step)), signal: NEVER }
      expect(request.files).toHaveLength(rows.length === 0 ? 0 : 1)
      if (rows.length === 0) return
      const [found] = await files.inspect(request)
      expect(found?.digest).toEqual(sumOf(rows))
      expect(texts(await gathered(files.rows(request, 4)))).toEqual(texts(rows))
      const { text, rows: counted } = await drained(files.csv(request))
      expect(counted).toBe(BigInt(rows.length))
      const again = await write(
        (async function* () {
          yield Buffer.from(text)
        })(),
      )
      expect((await files.inspect({ ...request, files: again }))[0]?.digest).toEqual(sumOf(rows))
    }),
    { numRuns: process.env['SLUICE_TEST_ALL'] === '1' ? 300 : 12 },
  )
}, 120_000)
