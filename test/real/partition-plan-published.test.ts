/**
 * Publications that would include new partitions without a replica identity: `partition plan` names them before the
 * server refuses changes.
 */
import { describe, expect, test } from 'vitest'
import { makePlace, missing, perform, type Ran } from '../support/copy-systems.ts'

const TABLE = 'trips'
const refused = ({ events }: Ran): readonly string[] =>
  events.flatMap((event) =>
    event.type === 'partition.finding' && event.verdict === 'refused'
      ? [`${event.about} ${event.object}: ${event.detail}`]
      : [],
  )
const statements = ({ events }: Ran): readonly string[] =>
  events.flatMap((event) => (event.type === 'partition.sql' ? [event.sql] : []))

async function planned(publication: string, key: string, elsewhere = false) {
  const place = await makePlace('postgresql', '')
  await place.sql(
    `CREATE TABLE ${TABLE} (id bigint NOT NULL, at timestamp NOT NULL, note text)`,
    `INSERT INTO ${TABLE} SELECT i, timestamp '2024-01-01' + i * interval '1 day', 'x' FROM generate_series(1, 300) i`,
    `CREATE UNIQUE INDEX by_number ON ${TABLE} (id, at)`,
    ...(key === '' ? [] : [key]),
    `ALTER TABLE ${TABLE} REPLICA IDENTITY USING INDEX by_number`,
    publication,
  )
  const to = elsewhere ? (await makePlace('postgresql', '')).url : undefined
  const ran = await perform({
    kind: 'partition-plan',
    from: place.url,
    ...(to === undefined ? {} : { to }),
    table: TABLE,
    by: 'at',
    calendar: { unit: 'quarter' },
    lanes: 1,
    exact: true,
  })
  return { place, ran }
}

const why = await missing('postgresql')
describe.skipIf(why !== '')(`PostgreSQL${why}`, { timeout: 60_000 }, () => {
  const about = (how: string) => [
    expect.stringMatching(
      new RegExp(
        `^published partitions p: it is for ${how}, .*by_number.*: TABLE_REFUSED: .*does not have a replica identity`,
      ),
    ) as string,
  ]

  test.each([
    ['all tables', 'CREATE PUBLICATION p FOR ALL TABLES'],
    ['all tables of the schema', 'CREATE PUBLICATION p FOR TABLES IN SCHEMA public'],
  ])('a publication of %s: the server refuses the changes that the plan names', async (how, publication) => {
    const { place, ran } = await planned(publication, '')
    expect(refused(ran)).toEqual(about(how))
    await place.sql(...statements(ran))
    await place.sql(`INSERT INTO ${TABLE}_partitioned SELECT * FROM ${TABLE}`)
    for (const sql of [`UPDATE ${TABLE}_partitioned SET note = 'y'`, `DELETE FROM ${TABLE}_partitioned`])
      await expect(place.sql(sql)).rejects.toThrow(/does not have a replica identity/)
  })

  test.each([
    ['of the table alone', `CREATE PUBLICATION p FOR TABLE ${TABLE}`, '', false],
    ['of new rows alone', `CREATE PUBLICATION p FOR ALL TABLES WITH (publish = 'insert')`, '', false],
    ['with a primary key', 'CREATE PUBLICATION p FOR ALL TABLES', `ALTER TABLE ${TABLE} ADD PRIMARY KEY (id)`, false],
    ['into another database', 'CREATE PUBLICATION p FOR ALL TABLES', '', true],
  ])('%s nothing is refused for it', async (_name, publication, key, elsewhere) => {
    const { ran } = await planned(publication, key, elsewhere)
    expect(refused(ran).join()).not.toContain('published partitions')
  })
})
