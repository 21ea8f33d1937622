/** Times in the condition of an erasure: accepted only if database and files compare them alike. */
import { expect, test } from 'vitest'
import { rowTest } from '../../src/archive/erase/row-test.ts'
import { readPredicate } from '../../src/archive/erase/read-predicate.ts'
import type { Column } from '../../src/model/copy/column-type.ts'

const TIMES = { name: 'seen', type: { kind: 'timestamp', zone: false, digits: 6 }, native: 'timestamp', nullable: true }

const read = (time: string): unknown => rowTest(readPredicate(`seen = '${time}'`), { columns: [TIMES as Column] })

test.each(['2023-03-31 23:59:59.9999999', '2023-03-31 23:59:59.9999990001', '2023-03-31T23:59:59.0000001'])(
  'a time finer than a microsecond is refused: %s',
  (time) => {
    // PostgreSQL rounds it, and DuckDB truncates it: each would erase other rows.
    expect(() => read(time)).toThrow(expect.objectContaining({ code: 'BAD_PREDICATE' }) as Error)
  },
)

test.each(['2023-03-31 23:59:59.999999', '2023-03-31 23:59:59.9999990', '2023-03-31 23:59:59'])(
  'a time in microseconds is accepted: %s',
  (time) => {
    expect(read(time)).toMatchObject({ kind: 'compare', column: 'seen' })
  },
)
