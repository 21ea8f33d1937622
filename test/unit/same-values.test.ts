import { describe, expect, it } from 'vitest'
import { leafColumns, parseSchema } from '../../src/delta/schema.ts'
import { statsComparer } from '../../src/delta/values/same.ts'

const SCHEMA = parseSchema(
  JSON.stringify({
    type: 'struct',
    fields: ['timestamp', 'timestamp_ntz'].map((type) => ({ name: type, type, nullable: true, metadata: {} })),
  }),
)
const apart = statsComparer(leafColumns(SCHEMA))

describe('a time truncated to milliseconds in the stats text, compared with the time in the struct', () => {
  it.each([
    ['2024-02-29T12:00:00.123', '2024-02-29T12:00:00.123999', 0],
    ['2024-02-29T12:00:00.123', '2024-02-29T12:00:00.124', 1],
    // Writers truncate the text, which rounds down before 1970, too.
    ['1969-12-31T23:59:59.999', '1969-12-31T23:59:59.999999', 0],
    ['1900-01-01T00:00:00.000', '1900-01-01T00:00:00.000001', 0],
    ['1900-01-01T00:00:00.000', '1900-01-01T00:00:00.001', 1],
    ['1900-01-01T00:00:00.000', '1899-12-31T23:59:59.998', 1],
  ])('%s, %s: %i differences', (text, struct, differences) => {
    for (const [column, zone] of [
      ['timestamp', 'Z'],
      ['timestamp_ntz', ''],
    ] as const) {
      const stats = (time: string): string => `{"minValues":{"${column}":"${time}${zone}"}}`
      expect(apart(stats(text), stats(struct))).toHaveLength(differences)
    }
  })
})
