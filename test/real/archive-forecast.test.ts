/** An archive run emits a forecast before it starts, which is based on earlier runs. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import { commandsOf, makeBookings } from '../support/archive-places.ts'
import { makePlace, missing, perform, type Ran } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-forecast-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const forecastsOf = ({ events }: Ran) => events.flatMap((event) => (event.type === 'archive.forecast' ? [event] : []))

test.each([
  ['postgresql', 'native'],
  ['sqlite', 'plain'],
] as const)('%s, %s', { timeout: 60_000 }, async (system, form) => {
  if ((await missing(system)) !== '') return
  const archived = await makeBookings(await makePlace(system, folder), form, mkdtempSync(join(folder, 'to-')), 200)
  // The rows of a large partition are estimated from the server's statistics.
  await archived.place.sql('ANALYZE')
  const { run, drop } = commandsOf(archived)
  const only = (partition: string): Operation =>
    Object.assign({}, run, { olderThan: undefined, partitions: [partition] })
  const first = await perform(only('2020-Q1'))
  expect(first.finished).toMatchObject({ exitCode: 0 })
  const [nothing] = forecastsOf(first)
  expect(nothing).toMatchObject({ partitions: '1', drops: '0', rows: '200', from: '0', workers: 1 })
  expect(nothing?.bytes ?? nothing?.sourceBytes ?? nothing?.ms).toBeUndefined()

  // As many rows as in the previous run: the forecast is the same.
  const planned = await perform(Object.assign({}, run, { dryRun: true, workers: 2 }))
  const { sourceBytes = '', bytes = '' } = first.finished.totals
  const wanted = { partitions: '1', drops: '0', rows: '200', sourceBytes, bytes, from: '1', workers: 1 }
  expect(forecastsOf(planned)).toEqual([expect.objectContaining(wanted)])
  expect(forecastsOf(planned)[0]?.ms).toBeGreaterThan(0)
  const second = await perform(only('2020-Q2'))
  expect(forecastsOf(second)).toEqual([expect.objectContaining(wanted)])
  expect(second.finished).toMatchObject({ exitCode: 0, totals: { partitions: '1', rows: '200' } })

  const dropped = await perform(drop)
  expect(forecastsOf(dropped)).toEqual([expect.objectContaining({ partitions: '0', drops: '2', rows: '0' })])
  // No forecast if nothing is due.
  expect(forecastsOf(await perform(run))).toEqual([])
})
