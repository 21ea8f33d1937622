/** Rows of `orders` from one PostgreSQL to another by COPY, as text: called with SOURCE TARGET PARTS PART. */
import { pipeline } from 'node:stream/promises'
import pg from 'pg'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'

const [, , source = '', target = '', parts = '', part = ''] = process.argv
const [reader, writer] = [new pg.Client(source), new pg.Client(target)]
await Promise.all([reader.connect(), writer.connect()])
const { rows: [span] } = await reader.query('SELECT min(id) AS low, max(id) AS high FROM orders') // prettier-ignore
const [low, high] = [Number(span.low), Number(span.high)]
const step = Math.ceil((high - low + 1) / Number(parts))
const from = low + step * Number(part)
await pipeline(
  reader.query(copyTo(`COPY (SELECT * FROM orders WHERE id >= ${from} AND id < ${from + step}) TO STDOUT`)),
  writer.query(copyFrom('COPY piped FROM STDIN')),
)
await Promise.all([reader.end(), writer.end()])
