/** `--between`: the hours it means, and how a run behaves outside of them, with a clock that the test moves. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { pauseOutside, hoursText, isWithin, parseHours } from '../../src/cli/flags/hours.ts'
import { parseCommandLine } from '../../src/cli/parse/parse.ts'
import type { RunControl } from '../../src/engine/run/operation.ts'
import { asSluiceError } from '../../src/shared/errors.ts'
import { commandsOf, makeBookings } from '../support/archive-places.ts'
import { copyOf, makePlace, perform } from '../support/copy-systems.ts'

const at = (time: string): number => Date.parse(`2026-11-20T${time}Z`)

test.each([
  ['22:00-05:00', 'UTC', ['22:00', '23:59:59', '00:00', '04:59:59'], ['05:00', '12:00', '21:59:59']],
  ['9:30-17:00', 'UTC', ['09:30', '16:59'], ['09:29:59', '17:00', '00:00']],
  ['18:00-24:00', 'UTC', ['18:00', '23:59'], ['00:00', '17:59']],
  ['22:00-05:00', 'Europe/Berlin', ['21:00', '03:59'], ['20:59', '04:00', '05:00']],
])('%s in %s', (text, zone, within, outside) => {
  const hours = parseHours(text, zone)
  for (const time of within) expect([time, isWithin(hours, at(time))]).toEqual([time, true])
  for (const time of outside) expect([time, isWithin(hours, at(time))]).toEqual([time, false])
})

test('when the clock is changed, its local time counts', () => {
  const hours = parseHours('02:30-03:30', 'Europe/Berlin')
  expect(isWithin(hours, Date.parse('2026-03-29T00:59:00Z'))).toBe(false)
  expect(isWithin(hours, Date.parse('2026-03-29T01:00:00Z'))).toBe(true)
  expect(isWithin(hours, Date.parse('2026-10-25T00:45:00Z'))).toBe(true)
  expect(isWithin(hours, Date.parse('2026-10-25T01:45:00Z'))).toBe(true)
})

test.each(['22-5', '22:00', '24:00-05:00', '22:00-22:00', '00:00-24:00', '22:60-05:00', 'night'])(
  '%s is refused',
  (text) => {
    expect(() => parseHours(text, 'UTC')).toThrow(`--between ${text} is not a time range`)
  },
)

test('an unknown zone is refused, and hours come from flags', async () => {
  expect(() => parseHours('1:00-2:00', 'Mars/Olympus')).toThrow('--zone Mars/Olympus is not a time zone')
  const copy = [
    'copy',
    '--from',
    'sqlite:///a.db',
    '--to',
    'sqlite:///b.db',
    '--table',
    't',
    '--between',
    '22:00-05:00',
  ]
  const { request } = await parseCommandLine([...copy, '--zone', 'Europe/Berlin'], {})
  const hours = request.kind === 'operation' ? request.reported?.hours : undefined
  expect(hours === undefined ? '' : hoursText(hours)).toBe('22:00-05:00 (Europe/Berlin)')
  const archive = ['archive', 'run', '--from', 'sqlite:///a.db', '--to', '/a', '--table', 't', '--older-than', '8q']
  const run = (await parseCommandLine([...archive, '--between', '1:00-2:00'], {})).request
  expect(run.kind === 'operation' ? run.reported?.hours : undefined).toMatchObject({ from: 60, to: 120 })
  const refused = await parseCommandLine(['diff', ...copy.slice(1)], {}).catch((error: unknown) => asSluiceError(error))
  expect(refused).toMatchObject({ code: 'BAD_FLAG' })
})

/** A wall clock that does not advance until it is moved, and a control that counts its queries. */
function moved(start: string): {
  readonly control: RunControl
  readonly said: readonly string[]
  move(to: string): void
  asked(): number
} {
  const said: string[] = []
  let now = at(start)
  let asked = 0
  const held = pauseOutside(parseHours('22:00-05:00', 'UTC'), { now: () => now }, (message) => said.push(message))
  const control: RunControl = {
    lanes: null,
    get paused() {
      asked++
      return held.paused
    },
  }
  return { control, said, move: (to) => (now = at(to)), asked: () => asked }
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((wake) => setTimeout(wake, 5))
}

const SAID = [
  'outside of the hours 22:00-05:00 (UTC): no new work begins before 22:00',
  'within the hours 22:00-05:00 (UTC): the run continues',
]

test('a copy begins no chunk outside of its hours, and continues within them', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-hours-'))
  const source = await makePlace('sqlite', folder)
  const target = await makePlace('sqlite', folder)
  const rows = Array.from({ length: 60 }, (_, i) => `(${i}, 'row ${i}')`)
  await source.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)', `INSERT INTO t VALUES ${rows.join(', ')}`)
  const clock = moved('12:00')
  let started = 0
  const run = perform(copyOf(source, target, 't', { chunkRows: 10, workers: 1 }), {
    control: clock.control,
    onEvent: ({ type }) => {
      if (type !== 'chunk.started') return
      if (++started === 2) clock.move('05:00')
    },
  })
  await until(() => clock.asked() > 3)
  expect(started).toBe(0)
  clock.move('23:00')
  await until(() => started === 2)
  const before = clock.asked()
  await until(() => clock.asked() > before + 3)
  expect(started).toBe(2)
  clock.move('22:00')
  expect((await run).finished).toMatchObject({ exitCode: 0, totals: { written: '60' } })
  expect(clock.said).toEqual([...SAID, ...SAID])
  rmSync(folder, { recursive: true })
})

test('archive run begins no partition outside of its hours', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-hours-'))
  const archived = await makeBookings(await makePlace('sqlite', folder), 'plain', join(folder, 'archive'), 20)
  const clock = moved('23:00')
  const detached: string[] = []
  const run = perform(commandsOf(archived).run, {
    control: clock.control,
    onEvent: (event) => {
      if (event.type !== 'archive.state' || event.state !== 'DETACHED') return
      detached.push(event.partition)
      clock.move('06:00')
    },
  })
  await until(() => detached.length === 1)
  const before = clock.asked()
  await until(() => clock.asked() > before + 3)
  expect(detached.length).toBe(1)
  clock.move('04:59')
  expect((await run).finished.exitCode).toBe(0)
  expect(detached.length).toBe(2)
  rmSync(folder, { recursive: true })
})
