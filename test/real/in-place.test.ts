/** A table becomes the first partition of a new one with its name: nobody waits for long, nothing is lost, and it can go back. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Event } from '../../src/model/event.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { makePlace, missing, perform, type Place } from '../support/copy-systems.ts'
import { inPlace, marksLeft, PAST, ROWS, shapeOf, SQL, stageTable } from './in-place-kit.ts'

const why = await missing('postgresql')

let folder: Folder
beforeAll(() => {
  folder = temporaryFolder()
})
afterAll(() => folder[Symbol.dispose]())

async function staged(): Promise<Place> {
  const place = await makePlace('postgresql', folder.path)
  await stageTable(place)
  return place
}

const stepsOf = (events: readonly Event[]): readonly string[] =>
  events.flatMap((event) => (event.type === 'partition.step' ? [`${event.step} ${event.status}`] : []))

describe.skipIf(why !== '')(`a table that is partitioned in place${why}`, () => {
  test('keeps all that is bound to it, and goes back', { timeout: 60_000 }, async () => {
    const place = await staged()
    const before = await shapeOf(place)
    const plan = await perform(inPlace(place, { dryRun: true }))
    expect(plan.finished.error).toBeUndefined()
    expect(plan.events.filter(({ type }) => type === 'partition.sql').length).toBeGreaterThan(20)
    expect(await shapeOf(place)).toEqual(before)
    expect((await perform(inPlace(place, { confirm: 'other' }))).finished.error).toMatchObject({
      code: 'MISSING_CONFIRM',
    })

    const { finished } = await perform(inPlace(place))
    expect(finished).toMatchObject({ exitCode: 0, totals: { switched: '1', partitions: '3' } })
    expect(await marksLeft(place)).toEqual([])
    const oid = `'${SQL}'::regclass`
    expect(await place.rows(`SELECT relkind::text, obj_description(${oid}) FROM pg_class WHERE oid = ${oid}`)).toEqual([
      ['p', "it's"],
    ])
    // What names the table means the new one: views, triggers, numbers, defaults.
    await place.sql(
      `INSERT INTO ${SQL} (price, "At") VALUES (1, now()), (2, now() + interval '1 year'), (3, '-infinity'), (4, 'infinity')`,
    )
    expect(await place.rows(`SELECT count(*), (SELECT count(*) FROM audit) FROM cheap WHERE id > ${ROWS}`)).toEqual([
      ['4', '4'],
    ])
    expect(await place.rows(`SELECT count(*), count(DISTINCT id), min("Room") FROM ${SQL}`)).toEqual([
      [String(ROWS + 4), String(ROWS + 4), '1'],
    ])
    expect(await place.rows(`SELECT count(*) FROM ${PAST}`)).toEqual([[String(ROWS + 2)]])
    await expect(place.sql(`INSERT INTO ${SQL} ("Room", "At") VALUES (99, now())`)).rejects.toThrow(/foreign key/)
    // Within the past the old key goes on keeping rows apart.
    await expect(place.sql(`INSERT INTO ${SQL} (id, "At") VALUES (1, now())`)).rejects.toThrow(/duplicate key/)

    const again = await perform(inPlace(place))
    expect(stepsOf(again.events)).toEqual(['switch found', 'after done'])
    expect((await perform(inPlace(place, { by: 'price' }))).finished.error).toMatchObject({ code: 'TABLE_REFUSED' })

    const filled = await perform(inPlace(place, { revert: true }))
    expect(filled.finished.error).toMatchObject({ code: 'PARTITION_REFUSED' })
    expect(filled.finished.error?.message).toContain('_default')
    await place.sql(`DELETE FROM ${SQL} WHERE id > ${ROWS}`, 'DELETE FROM audit')
    const back = await perform(inPlace(place, { revert: true }))
    expect(back.finished.error).toBeUndefined()
    expect(await shapeOf(place)).toEqual(before)
    await place.sql(`INSERT INTO ${SQL} (price, "At") VALUES (1, now())`)
    expect(await place.rows(`SELECT count(*), (SELECT count(*) FROM audit) FROM cheap WHERE id > ${ROWS}`)).toEqual([
      ['1', '1'],
    ])

    const forth = await perform(inPlace(place))
    expect(forth.finished.error).toBeUndefined()
    expect(await place.rows(`SELECT count(*), count(DISTINCT id) FROM ${SQL}`)).toEqual([
      [String(ROWS + 1), String(ROWS + 1)],
    ])
  })
})
