/** Messages of pgoutput, as PostgreSQL 18.4 sent them: read completely, and refused as BAD_STREAM in any other form. */
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SluiceError } from '../../src/shared/errors.ts'
import { arrayJson } from '../../src/stores/postgresql/follow/replication/array-json.ts'
import { ReplicationFrames } from '../../src/stores/postgresql/follow/replication/frames.ts'
import { OutputReader, type OutputMessage } from '../../src/stores/postgresql/follow/replication/pgoutput.ts'
import { Blocks, statusUpdate } from '../../src/stores/postgresql/follow/replication/walsender.ts'

/**
 * One transaction with an origin, in two tables: one with a key and a TOASTed value, one with REPLICA IDENTITY FULL.
 */
const RECORDED = [
  '420000000001b8d7100002b582c4781000000002f5',
  '4f00000000000000106f3100',
  '59000040027075626c6963006d6f6f6400',
  '52000040057075626c69630072006400040169640000000017ffffffff0061206e616d6500000004130000000d006d0000004002ffffffff006269670000000019ffffffff',
  '49000040054e00047400000001317400000006c3a9f09f988074000000037361647400000003787878',
  '49000040054e00047400000001326e6e7400000000',
  '55000040054e0004740000000131740000000162740000000373616475',
  '55000040054b00047400000001326e6e6e4e00047400000001336e6e7400000000',
  '44000040054b00047400000001336e6e6e',
  '4d010000000001b8c24870000000000568656c6c6f',
  '520000400d7075626c696300660066000201610000000017ffffffff01620000000019ffffffff',
  '490000400d4e00027400000001316e',
  '550000400d4f00027400000001316e4e0002740000000131740000000179',
  '440000400d4f0002740000000131740000000179',
  '540000000202000040050000400d',
  '43000000000001b8d7100000000001b8d9600002b582c4781000',
].map((hex) => Buffer.from(hex, 'hex'))

const [R, F] = [0x4005, 0x400d]
const at = Date.parse('2024-02-29T12:00:00Z')

const MESSAGES: readonly OutputMessage[] = [
  { type: 'begin', xid: 757, commit: 0x1b8d710n, at },
  { type: 'origin' },
  { type: 'other' },
  {
    type: 'relation',
    id: R,
    schema: 'public',
    name: 'r',
    identity: 'd',
    columns: [
      { key: true, name: 'id', type: 23, modifier: -1 },
      { key: false, name: 'a name', type: 1043, modifier: 13 },
      { key: false, name: 'm', type: 0x4002, modifier: -1 },
      { key: false, name: 'big', type: 25, modifier: -1 },
    ],
  },
  { type: 'insert', relation: R, row: ['1', 'é😀', 'sad', 'xxx'] },
  { type: 'insert', relation: R, row: ['2', null, null, ''] },
  { type: 'update', relation: R, old: null, row: ['1', 'b', 'sad', undefined] },
  { type: 'update', relation: R, old: { whole: false, row: ['2', null, null, null] }, row: ['3', null, null, ''] },
  { type: 'delete', relation: R, old: { whole: false, row: ['3', null, null, null] } },
  { type: 'other' },
  {
    type: 'relation',
    id: F,
    schema: 'public',
    name: 'f',
    identity: 'f',
    columns: [
      { key: true, name: 'a', type: 23, modifier: -1 },
      { key: true, name: 'b', type: 25, modifier: -1 },
    ],
  },
  { type: 'insert', relation: F, row: ['1', null] },
  { type: 'update', relation: F, old: { whole: true, row: ['1', null] }, row: ['1', 'y'] },
  { type: 'delete', relation: F, old: { whole: true, row: ['1', 'y'] } },
  { type: 'truncate', relations: [R, F] },
  { type: 'commit', end: 0x1b8d960n },
]

function read(message: Buffer): OutputMessage {
  return new OutputReader().read(message, 0, message.length)
}

test('every message of a recorded transaction is read, also from the middle of a buffer', () => {
  expect(RECORDED.map(read)).toEqual(MESSAGES)
  const reader = new OutputReader()
  const around = RECORDED.map((message) => Buffer.concat([Buffer.from('before'), message, Buffer.from('behind')]))
  expect(around.map((data) => reader.read(data, 6, data.length - 6))).toEqual(MESSAGES)
})

test('ids of transactions and tables are unsigned', () => {
  const begin = Buffer.from(RECORDED[0] as Buffer)
  begin.writeUInt32BE(0xffff_fff0, begin.length - 4)
  expect(read(begin)).toMatchObject({ xid: 0xffff_fff0 })
  const insert = Buffer.from(RECORDED[4] as Buffer)
  insert.writeUInt32BE(0x8000_0001, 1)
  expect(read(insert)).toMatchObject({ relation: 0x8000_0001 })
  const relation = Buffer.from(RECORDED[10] as Buffer)
  relation.writeUInt32BE(0xc000_0000, relation.indexOf('a\0') + 2)
  expect(read(relation)).toMatchObject({ columns: [{ type: 0xc000_0000 }, {}] })
})

test('a time before 2000 is valid', () => {
  const begin = Buffer.from(RECORDED[0] as Buffer)
  begin.writeBigInt64BE(-1_000_000n, 9)
  expect(read(begin)).toMatchObject({ at: Date.parse('1999-12-31T23:59:59Z') })
})

const broken = expect.objectContaining({ code: 'BAD_STREAM', kind: 'source' }) as Error

test.each(['S', 'E', 'c', 'A', 'b', 'P', 'K', 'r', 'p', '\0', 'ÿ'])('the message %j is refused', (letter) => {
  const message = Buffer.concat([Buffer.from(letter, 'latin1'), Buffer.alloc(30)])
  expect(() => read(message)).toThrow(broken)
})

test('values in binary form are refused', () => {
  expect(() => read(Buffer.from('490000400d4e00016200000001316e', 'hex'))).toThrow(broken)
})

test('a truncated message is refused, and so is one with extra bytes', () => {
  for (const [i, message] of RECORDED.entries()) {
    if (MESSAGES[i]?.type === 'other' || MESSAGES[i]?.type === 'origin') continue
    for (let end = 0; end < message.length; end++) expect(() => read(message.subarray(0, end))).toThrow(broken)
    expect(() => read(Buffer.concat([message, Buffer.from([0])]))).toThrow(broken)
  }
})

test('any bytes give a message or BAD_STREAM', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...RECORDED),
      fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 4 }),
      (recorded, changes) => {
        const message = Buffer.from(recorded)
        for (const [place, byte] of changes) message[place % message.length] = byte
        try {
          read(message)
        } catch (error) {
          if (!(error instanceof SluiceError)) throw error
          expect(error.code).toBe('BAD_STREAM')
        }
      },
    ),
    { numRuns: 2000 },
  )
})

function framing(body: Buffer): Buffer {
  const header = Buffer.from('d\0\0\0\0', 'latin1')
  header.writeUInt32BE(body.length + 4, 1)
  return Buffer.concat([header, body])
}

const digest = (bytes: Buffer): string => createHash('sha1').update(bytes).digest('hex')

test('messages are cut from the connection wherever its chunks end', () => {
  const framed = RECORDED.map(framing)
  const all = Buffer.concat(framed)
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1 }), (sizes) => {
      const frames = new ReplicationFrames()
      const seen: Buffer[] = []
      const blocks: Buffer[] = []
      for (let start = 0, i = 0; start < all.length; i++) {
        const size = sizes[i % sizes.length] as number
        const block = frames.addBytes(Buffer.from(all.subarray(start, start + size)), (data, from, to) =>
          seen.push(Buffer.from(data.subarray(from, to))),
        )
        if (block !== null) blocks.push(block)
        start += size
      }
      expect(Buffer.concat(blocks).equals(all)).toBe(true)
      expect(seen.map((message) => message.toString('hex'))).toEqual(framed.map((message) => message.toString('hex')))
    }),
    { numRuns: 300 },
  )
})

test('bytes read in place give the same messages as bytes passed in, also if a message exceeds a buffer', () => {
  const large = [300_000, 5, 700_000, 40, 262_143].map((size, i) => framing(Buffer.alloc(size, i + 1)))
  const framed = [...RECORDED.map(framing), ...large, ...large]
  const all = Buffer.concat(framed)
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 90_000 }), fc.boolean()), { minLength: 1 }), (reads) => {
      const [frames, blocks] = [new ReplicationFrames(), new Blocks()]
      const [seen, out]: [string[], Buffer[]] = [[], []]
      const see = (data: Buffer, from: number, to: number): void => void seen.push(digest(data.subarray(from, to)))
      for (let start = 0, i = 0; start < all.length; i++) {
        const [size, isInPlace] = reads[i % reads.length] as [number, boolean]
        const given = all.subarray(start, start + size)
        let block: Buffer | null
        if (isInPlace) {
          const bytes = given.copy(frames.readBuffer())
          start += bytes
          block = frames.addRead(bytes, see)
        } else {
          start += given.length
          block = frames.addBytes(given, see)
        }
        if (block !== null) blocks.push(block)
        if (size % 3 === 0) for (let next = blocks.shift(); next !== null; next = blocks.shift()) out.push(next)
      }
      for (let next = blocks.shift(); next !== null; next = blocks.shift()) out.push(next)
      expect(blocks.bytes).toBe(0)
      expect(frames.waiting).toBe(0)
      expect(Buffer.concat(out).equals(all)).toBe(true)
      expect(seen).toEqual(framed.map(digest))
    }),
    { numRuns: 60 },
  )
})

test('an impossible length is BAD_STREAM', () => {
  const take = (bytes: readonly number[]): unknown =>
    new ReplicationFrames().addBytes(Buffer.from(bytes), () => undefined)
  expect(() => take([100, 0, 0, 0, 3])).toThrow(broken)
  expect(() => take([100, 255, 255, 255, 255])).toThrow(broken)
})

test('a status update has received, flushed and applied positions, and a clock that starts in 2000', () => {
  const update = statusUpdate({ received: 0x1_0000_0002n, durable: 0x1_0000_0001n, answer: true })
  expect(update.toString('hex', 0, 30)).toBe('640000002672000000010000000200000001000000010000000100000001')
  const clock = Number(update.readBigInt64BE(30) / 1000n) + Date.parse('2000-01-01T00:00:00Z')
  expect(Math.abs(clock - Date.now())).toBeLessThan(60_000)
  expect(update.toString('hex', 38)).toBe('01')
})

const text = (value: string): string => JSON.stringify(value)

test.each([
  ['{}', '[]'],
  ['{1,NULL,-3}', '["1",null,"-3"]'],
  ['{{a,b},{c,d}}', '[["a","b"],["c","d"]]'],
  ['{"NULL","",null,"a\\"b\\\\c"}', String.raw`["NULL","","null","a\"b\\c"]`],
  ['{"{","}",",","\n"}', String.raw`["{","}",",","\n"]`],
])('the array %s is parsed', (literal, json) => {
  expect(arrayJson(literal, text)).toBe(json)
})

test('an array whose elements have commas is parsed with another delimiter', () => {
  expect(arrayJson('{(1,2),(3,4);(5,6),(7,8)}', text, ';')).toBe('["(1,2),(3,4)","(5,6),(7,8)"]')
})

test.each(['', 'x', '{', '{1', '{"', '{"a', '{"a\\', '{1,}', '{,1}', '{1}2', '{{1}', '{1}{2}', '[0:1]={1,2}'])(
  '%j is not an array',
  (literal) => {
    expect(() => arrayJson(literal, text)).toThrow(SluiceError)
  },
)
