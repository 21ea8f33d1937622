import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import type { DeletionVectorDescriptor } from '../../src/delta/actions.ts'
import { deletionVectorPath } from '../../src/delta/deletion-vector.ts'
import { readDeletionVector } from '../support/deletion-vectors.ts'
import { readRoaring64 } from '../../src/delta/roaring.ts'
import { decodeZ85, decodeZ85Uuid } from '../../src/delta/z85.ts'
import type { LogStore } from '../../src/model/lake/log-store.ts'
import { encodeRoaring64 } from '../support/roaring-encoder.ts'
import { HAVE_TABLES, TABLES } from '../tables/shared-tables.ts'

const { signal } = new AbortController()

/** A store over bytes that counts its reads; `find` returns the bytes of a path. */
function storeOf(find: (path: string) => Buffer): LogStore & { reads: number } {
  return {
    root: 'file:///t',
    label: '/t',
    reads: 0,
    async *read(path, { start = 0, end }) {
      this.reads++
      const bytes = find(path).subarray(start, end)
      const half = bytes.length >> 1
      yield bytes.subarray(0, half)
      yield bytes.subarray(half)
    },
    list: () => {
      throw new Error('not asked')
    },
    head: () => Promise.reject(new Error('not asked')),
    localFile: () => Promise.reject(new Error('not asked')),
  }
}

const MAGIC = Buffer.alloc(4)
MAGIC.writeUInt32LE(1681511377)

function fileOf(blocks: readonly Buffer[]): { bytes: Buffer; offsets: number[] } {
  const parts = [Buffer.from([1])]
  const offsets: number[] = []
  let at = 1
  for (const block of blocks) {
    const frame = Buffer.alloc(8 + block.length)
    frame.writeInt32BE(block.length, 0)
    block.copy(frame, 4)
    frame.writeUInt32BE(crc32(block), 4 + block.length)
    offsets.push(at)
    at += frame.length
    parts.push(frame)
  }
  return { bytes: Buffer.concat(parts), offsets }
}

const UUID_Z85 = 'vBn[lx{q8@P<9BNH/isA'
const FILE = 'deletion_vector_61d16c75-6994-46b7-a15b-8b538852e50e.bin'
const dataOf = (rows: readonly bigint[]) => Buffer.concat([MAGIC, encodeRoaring64(rows)])

describe('Z85', () => {
  it('decodes the example of the specification', () => {
    expect(decodeZ85('HelloWorld').toString('hex')).toBe('864fd26fb559f75b')
    expect(decodeZ85('').length).toBe(0)
    expect(decodeZ85Uuid(UUID_Z85)).toBe('61d16c75-6994-46b7-a15b-8b538852e50e')
  })

  it('reads a remainder of one to three bytes, which the z85 crate marks with #', () => {
    expect(decodeZ85('##093').toString('hex')).toBe('0300')
    expect(decodeZ85('Hello#0005').toString('hex')).toBe('864fd26f000005')
    expect(decodeZ85('###04').toString('hex')).toBe('04')
    expect(() => decodeZ85('###zz')).toThrow(RangeError)
  })

  it.each(['abcd', 'ab"cd', 'abcdé', '#####'])('refuses %s', (text) => {
    expect(() => decodeZ85(text)).toThrow(RangeError)
  })
})

describe('readDeletionVector', () => {
  const rows = [0n, 7n, 65_536n, 1n << 40n]
  const { bytes, offsets } = fileOf([dataOf([3n]), dataOf(rows)])
  const dv = (index: number, cardinality: number): DeletionVectorDescriptor => ({
    storageType: 'u',
    pathOrInlineDv: UUID_Z85,
    offset: offsets[index] ?? 0,
    sizeInBytes: dataOf(index === 0 ? [3n] : rows).length,
    cardinality,
  })

  it('reads each vector of a file', async () => {
    const paths: string[] = []
    const store = storeOf((path) => {
      paths.push(path)
      return bytes
    })
    const first = await readDeletionVector(store, dv(0, 1), signal)
    const second = await readDeletionVector(store, dv(1, 4), signal)
    expect([...first.rows()]).toEqual([3n])
    expect([...second.rows()]).toEqual(rows)
    expect(second.cardinality).toBe(4)
    expect(paths).toEqual([FILE, FILE])
    const { offset: _, ...bare } = dv(0, 1)
    expect([...(await readDeletionVector(store, bare, signal)).rows()]).toEqual([3n])
  })

  it('reads a vector far into its file with a second read', async () => {
    const far = Buffer.concat([bytes.subarray(0, 1), Buffer.alloc(100_000), bytes.subarray(1)])
    const store = storeOf(() => far)
    const moved = { ...dv(1, 4), offset: (offsets[1] ?? 0) + 100_000 }
    expect([...(await readDeletionVector(store, moved, signal)).rows()]).toEqual(rows)
    expect(store.reads).toBe(2)
  })

  it('names the file and the error', async () => {
    const expectBad = async (found: Buffer, descriptor: DeletionVectorDescriptor, reason: RegExp) => {
      const reading = readDeletionVector(
        storeOf(() => found),
        descriptor,
        signal,
      )
      await expect(reading).rejects.toMatchObject({ code: 'BAD_DELETION_VECTOR', where: FILE })
      await expect(reading).rejects.toMatchObject({ reason: expect.stringMatching(reason) as string })
    }
    const flipped = Buffer.from(bytes)
    flipped[30] = (flipped[30] ?? 0) ^ 1
    await expectBad(flipped, dv(0, 1), /CRC-32/)
    await expectBad(bytes, dv(0, 2), /has 1 rows, and the log gives 2/)
    await expectBad(bytes, { ...dv(0, 1), sizeInBytes: 33 }, /33 bytes/)
    await expectBad(bytes.subarray(0, 20), dv(0, 1), /ends before/)
    await expectBad(Buffer.alloc(0), dv(0, 1), /version is missing/)
    await expectBad(Buffer.concat([Buffer.from([2]), bytes.subarray(1)]), dv(0, 1), /version is 2/)
    await expectBad(bytes, { ...dv(0, 1), sizeInBytes: -1 }, /not a whole number/)
    const wrongMagic = fileOf([Buffer.alloc(20)])
    await expectBad(wrongMagic.bytes, { ...dv(0, 0), sizeInBytes: 20 }, /magic/)
    const broken = Buffer.concat([MAGIC, encodeRoaring64([3n]).subarray(0, -2)])
    await expectBad(fileOf([broken]).bytes, { ...dv(0, 1), sizeInBytes: broken.length }, /./)
  })

  it('refuses paths outside the table', async () => {
    const outside = { ...dv(0, 1), storageType: 'p', pathOrInlineDv: 's3://b/dv.bin' }
    await expect(
      readDeletionVector(
        storeOf(() => bytes),
        outside,
        signal,
      ),
    ).rejects.toMatchObject({ code: 'PATH_ESCAPES' })
    expect(() => deletionVectorPath({ ...dv(0, 1), pathOrInlineDv: `../x${UUID_Z85}` }, 'file:///t')).toThrow(
      'cannot be read',
    )
    expect(() => deletionVectorPath({ ...dv(0, 1), storageType: 'q' }, 'file:///t')).toThrow('cannot be read')
    expect(() => deletionVectorPath({ ...dv(0, 1), pathOrInlineDv: 'short' }, 'file:///t')).toThrow('cannot be read')
    expect(deletionVectorPath({ ...dv(0, 1), pathOrInlineDv: `ab/c${UUID_Z85}` }, 'file:///t')).toBe(`ab/c/${FILE}`)
    expect(
      deletionVectorPath({ ...dv(0, 1), storageType: 'p', pathOrInlineDv: 'file:/t/a%20b.bin' }, 'file:///t'),
    ).toBe('a b.bin')
  })
})

describe('bytes that are not a bitmap', () => {
  const good = encodeRoaring64([1n, 2n, 70_000n])
  it.each([
    ['nothing', Buffer.alloc(0)],
    ['a count of buckets without buckets', Buffer.from('ffffffffffffffff', 'hex')],
    ['an unknown cookie', Buffer.concat([good.subarray(0, 12), Buffer.alloc(30)])],
    ['a cut container', good.subarray(0, -1)],
  ])('refuses %s', (_, bytes) => {
    expect(() => readRoaring64(bytes)).toThrow(RangeError)
  })

  it('never fails in another way, whichever byte is wrong', () => {
    for (let i = 0; i < good.length; i++) {
      for (const value of [0, 1, 127, 255]) {
        const bytes = Buffer.from(good)
        bytes[i] = value
        let rows = -1
        let cardinality = -1
        let failure: unknown = new RangeError('none')
        try {
          const set = readRoaring64(bytes)
          rows = [...set.rows()].length
          cardinality = set.cardinality
        } catch (error) {
          failure = error
        }
        expect(failure).toBeInstanceOf(RangeError)
        expect(rows).toBe(cardinality)
      }
    }
  })
})

/** Distinct vectors of a real table's commits. */
function vectorsOf(table: string): readonly DeletionVectorDescriptor[] {
  const log = join(TABLES, table, '_delta_log')
  const found = new Map<string, DeletionVectorDescriptor>()
  for (const name of readdirSync(log).filter((file) => /^\d{20}\.json$/.test(file))) {
    for (const line of readFileSync(join(log, name), 'utf8').split('\n').filter(Boolean)) {
      const action = JSON.parse(line) as { add?: { deletionVector?: DeletionVectorDescriptor } }
      const vector = action.add?.deletionVector
      if (vector) found.set(JSON.stringify(vector), vector)
    }
  }
  return [...found.values()]
}

describe.skipIf(!HAVE_TABLES)('vectors of real tables (../shared)', () => {
  // Delta's own tests put this prefix before the file names; other tables have none.
  const TEST_PREFIX = 'test%dv%prefix-'
  it.each([
    ['delta-rs/table-with-dv-small', ''],
    ['kernel-rs-packed/cdf-table-with-dv', ''],
    ['delta-kernel-java/basic-dv-no-checkpoint', ''],
    ['delta-golden/dv-partitioned-with-checkpoint', ''],
    ['delta-spark/table-with-dv-small', TEST_PREFIX],
    ['delta-spark/table-with-dv-large', TEST_PREFIX],
    ['delta-spark/partitioned-table-with-dv-large', TEST_PREFIX],
  ])('%s', async (table, prefix) => {
    const store = storeOf((path) => readFileSync(join(TABLES, table, prefix + path)))
    const vectors = vectorsOf(table)
    expect(vectors.length).toBeGreaterThan(0)
    for (const vector of vectors) {
      const rows = await readDeletionVector(store, vector, signal)
      const listed = [...rows.rows()]
      expect(listed.length).toBe(vector.cardinality)
      expect(listed.every((row, i) => i === 0 || row > (listed[i - 1] ?? row))).toBe(true)
    }
  })

  it('reads a vector that is inline in the log', async () => {
    const inline = {
      storageType: 'i',
      pathOrInlineDv: '^Bg9^0rr910000000000iXQKl0rr91000935c8Xg000311onP9',
      offset: null,
      sizeInBytes: 40,
      cardinality: 4,
    }
    const store = storeOf(() => Buffer.alloc(0))
    const vector = await readDeletionVector(store, inline, signal)
    expect(vector.cardinality).toBe(4)
    expect(store.reads).toBe(0)
    await expect(readDeletionVector(store, { ...inline, sizeInBytes: 41 }, signal)).rejects.toMatchObject({
      code: 'BAD_DELETION_VECTOR',
    })
    expect([...vector.rows()]).toEqual([0n, 1n, 4n, 5n])
  })
})
