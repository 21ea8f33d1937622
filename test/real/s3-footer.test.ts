/**
 * The footer reader compared with DuckDB's on every real checkpoint, and checkpoints read from files that have only the
 * requested bytes.
 */
import { closeSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { DuckDBInstance } from '@duckdb/node-api'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { columnChunks, footerLength, TAIL_BYTES } from '../../src/stores/s3/parquet-footer.ts'
import { joined, missing, total, type ByteRange } from '../../src/stores/s3/ranges.ts'
import { footerShapeFault } from '../../src/stores/duckdb/footer-shape.ts'
import { duckdbParquetRows } from '../../src/stores/duckdb/parquet-rows.ts'
import { selectionOf } from '../../src/delta/checkpoint-fields.ts'
import type { ActionKind } from '../../src/delta/actions.ts'
import { HAVE_TABLES, NEVER, TABLES } from '../tables/shared-tables.ts'

function footerOf(bytes: Buffer): { readonly footer: Buffer; readonly length: number } | null {
  const length = footerLength(bytes.subarray(-TAIL_BYTES))
  if (length === null || length + TAIL_BYTES > bytes.length) return null
  return { footer: bytes.subarray(bytes.length - TAIL_BYTES - length, bytes.length - TAIL_BYTES), length }
}

const checkpoints = HAVE_TABLES
  ? readdirSync(TABLES, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.parentPath.includes('_delta_log') && entry.name.endsWith('.parquet'))
      .map((entry) => join(entry.parentPath, entry.name))
  : []

describe.skipIf(!HAVE_TABLES)(
  `footers of real checkpoints${HAVE_TABLES ? '' : ' (skipped: the tables are not there)'}`,
  () => {
    let instance: DuckDBInstance
    let folder: string
    beforeAll(async () => {
      instance = await DuckDBInstance.create(':memory:')
      folder = mkdtempSync(join(tmpdir(), 'sluice-test-'))
    })
    afterAll(() => {
      instance.closeSync()
      rmSync(folder, { recursive: true, force: true })
    })

    test('have the positions that DuckDB reports', async () => {
      const connection = await instance.connect()
      let compared = 0
      for (const file of checkpoints) {
        const bytes = readFileSync(file)
        const found = footerOf(bytes)
        let theirs: readonly (readonly [string, number])[]
        try {
          const result = await connection.run(
            `SELECT path_in_schema, least(data_page_offset, nullif(dictionary_page_offset, 0))::DOUBLE, total_compressed_size::DOUBLE
           FROM parquet_metadata('${file.replaceAll("'", "''")}') ORDER BY row_group_id, column_id`,
          )
          theirs = (await result.getRows()).map(([path, start, size]) => [
            `${String(path)} ${Number(start)}`,
            Number(size),
          ])
        } catch {
          continue
        }
        expect(found, file).not.toBeNull()
        const ours = columnChunks(found?.footer ?? Buffer.alloc(0), bytes.length)
        expect(
          ours?.map(({ path, start, end }) => [`${path.join(', ')} ${start}`, end - start]),
          file,
        ).toEqual(theirs)
        compared++
      }
      connection.closeSync()
      expect(compared).toBeGreaterThan(45)
    })

    test('are never accepted as sound when they are damaged', () => {
      const small = checkpoints.map((file) => readFileSync(file)).filter((bytes) => bytes.length < 60_000)
      fc.assert(
        fc.property(fc.nat(), fc.nat(), fc.integer({ min: 0, max: 255 }), (which, place, value) => {
          const bytes = small[which % small.length] as Buffer
          const found = footerOf(bytes)
          if (found === null) return
          const damaged = Buffer.from(found.footer)
          damaged[place % damaged.length] = value
          const chunks = columnChunks(damaged, bytes.length)
          // In any case the positions are inside of the file, and the reader ends.
          for (const { start, end } of chunks ?? []) expect(start >= 4 && end <= bytes.length).toBe(true)
          expect(columnChunks(damaged.subarray(0, place % damaged.length), bytes.length)).toBeNull()
        }),
        { numRuns: 500 },
      )
    })

    test('are refused if a list has elements of another type, although DuckDB reads them', () => {
      let [sound, refused] = [0, 0]
      for (const file of checkpoints) {
        const found = footerOf(readFileSync(file))
        if (found === null || footerShapeFault(found.footer) !== null) continue
        // The type of the first column (i32), and after it its encodings: a list, its length and the type of its
        // elements.
        const place = 2 + found.footer.toString('latin1').search(/\x15[\x00-\x0e]\x19[\x15\x25\x35\x45]/)
        const damaged = Buffer.from(found.footer)
        damaged[place + 1] = (damaged[place + 1] ?? 0) ^ 1
        // If the bytes have another meaning, they are read with that.
        if (footerShapeFault(damaged)?.includes('a column of a row group has elements of type 4, not 5') === true)
          refused++
        sound++
      }
      // The real ones are sound, whichever program wrote them.
      expect(sound).toBeGreaterThan(45)
      expect(refused).toBeGreaterThan(sound / 2)
    })

    test('a reader of some columns reads no bytes of the others', async () => {
      const rows = duckdbParquetRows()
      const kinds: readonly (readonly ActionKind[])[] = [
        ['protocol', 'metaData'],
        ['add'],
        ['remove'],
        ['txn', 'domainMetadata'],
        ['sidecar'],
      ]
      let holes = 0
      for (const file of checkpoints.filter((_, i) => i % 3 === 0)) {
        const bytes = readFileSync(file)
        const found = footerOf(bytes)
        const chunks = found === null ? null : columnChunks(found.footer, bytes.length)
        if (chunks === null) continue
        for (const wanted of kinds) {
          const selection = selectionOf(new Set(wanted), 'all')
          const names = new Set<string>(selection.map(({ column }) => column))
          const copy = join(folder, 'holes.parquet')
          rmSync(copy, { force: true })
          const fd = openSync(copy, 'w')
          writeSync(fd, bytes)
          for (const { path, start, end } of chunks) {
            if (names.has(path[0] ?? '')) continue
            // No zeros, which might be a valid empty page.
            writeSync(fd, Buffer.alloc(end - start, 0xff), 0, end - start, start)
            holes++
          }
          closeSync(fd)
          expect(await textOf(rows.lines(copy, selection, NEVER)), file).toBe(
            await textOf(rows.lines(file, selection, NEVER)),
          )
        }
      }
      expect(holes).toBeGreaterThan(500)
    })
  },
)

async function textOf(chunks: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = []
  try {
    for await (const chunk of chunks) parts.push(chunk)
  } catch (error) {
    return String((error as { code?: string }).code)
  }
  return Buffer.concat(parts).toString('utf8')
}

describe('ranges', () => {
  const range = fc.tuple(fc.nat(200), fc.nat(50)).map(([start, length]): ByteRange => ({ start, end: start + length }))
  const bytesOf = (ranges: readonly ByteRange[]): Set<number> => {
    const set = new Set<number>()
    for (const { start, end } of ranges) for (let at = start; at < end; at++) set.add(at)
    return set
  }

  test('the missing and the present parts add up to the requested range, without overlap', () => {
    fc.assert(
      fc.property(fc.array(range), fc.array(range), (wanted, have) => {
        const [a, b] = [joined(wanted, 0), joined(have, 0)]
        const left = missing(a, b)
        const expected = [...bytesOf(wanted)].filter((at) => !bytesOf(have).has(at))
        expect([...bytesOf(left)].toSorted((x, y) => x - y)).toEqual(expected.toSorted((x, y) => x - y))
        expect(total(left)).toBe(expected.length)
        expect(total(a)).toBe(bytesOf(wanted).size)
      }),
    )
  })
})
