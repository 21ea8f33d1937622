/** Schedules without a queue: systemd has the same times as workers, and a crontab has what it can express. */
import { execFileSync, spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { DEFAULT_CALENDAR, type CalendarSpec } from '../../src/model/calendar/calendar.ts'
import { crontabTimes, systemdTimes } from '../../src/app/share/schedules/cron-times.ts'
import { intervalOf, minuteOf } from '../../src/app/share/schedules/rule-text.ts'
import { occurrencesAfter, type ScheduleRule } from '../../src/app/share/schedules/rule.ts'
import { crontabLine, systemdUnits } from '../../src/app/share/schedules/unit-files.ts'

const SYSTEMD = spawnSync('systemd-analyze', ['calendar', '--base-time=2026-01-01 00:00:00 UTC', 'daily']).status === 0

const rule = (calendar: Partial<CalendarSpec>, day = 1, clock = '02:30'): ScheduleRule => ({
  every: 'period',
  calendar: { ...DEFAULT_CALENDAR, ...calendar },
  day,
  minute: minuteOf(clock),
})

const RULES: readonly (readonly [string, ScheduleRule])[] = [
  ['each day in Berlin', rule({ unit: 'day', zone: 'Europe/Berlin' }, 1, '12:15')],
  ['Mondays of weeks that begin on Sunday', rule({ unit: 'week', firstWeekday: 7 }, 2)],
  ['the 15th', rule({ unit: 'month' }, 15)],
  ['the 30th, or the last day', rule({ unit: 'month' }, 30)],
  ['the 31st, or the last day', rule({ unit: 'month' }, 31)],
  ['the last day but one', rule({ unit: 'month' }, -2)],
  ['fiscal quarters', rule({ firstMonth: 5, zone: 'Asia/Kathmandu' }, 3)],
  ['the last day of fiscal quarters', rule({ firstMonth: 11 }, -1)],
  ['years from July', rule({ unit: 'year', firstMonth: 7 }, 2)],
  ['the last day of years from July', rule({ unit: 'year', firstMonth: 7 }, -1)],
  ['every six hours', intervalOf(6 * 3_600_000, '6h')],
  ['every 90 minutes', intervalOf(90 * 60_000, '90m')],
]

describe.skipIf(!SYSTEMD)('systemd runs at the times of a worker, if systemd-analyze is installed', () => {
  test.each(RULES)('%s', (_name, one) => {
    const from = Date.parse('2026-01-31T00:00:00Z')
    const expected: number[] = []
    for (const { at } of occurrencesAfter(one, from)) {
      expected.push(at)
      if (expected.length === 8) break
    }
    const found = systemdTimes(one).flatMap((time) => {
      const words = ['calendar', '--iterations=8', '--base-time=2026-01-31 00:00:00 UTC', time]
      const text = execFileSync('systemd-analyze', words, { encoding: 'utf8', env: { ...process.env, TZ: 'UTC' } })
      return [
        ...text.matchAll(/(?:Next elapse|Iter\. #\d+|\(in UTC\)): \w{3} (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC/g),
      ].map(([, day = '', clock = '']) => Date.parse(`${day}T${clock}Z`))
    })
    expect([...new Set(found)].toSorted((a, b) => a - b).slice(0, 8)).toEqual(expected)
  })
})

test('a word with a line break is refused, because it would be a crontab line of its own', () => {
  const printed = {
    name: 'a',
    rule: rule({ unit: 'day' }),
    words: ['copy', '--where', "a = 'x\n* * * * * id'"],
    folder: '/',
  }
  expect(() => crontabLine(printed)).toThrow(/line break/)
})

test('a crontab has days, weeks and first days; other rules are refused', () => {
  expect(crontabTimes(rule({ unit: 'day' }))).toEqual({ fields: '30 2 * * *', zone: 'UTC' })
  expect(crontabTimes(rule({ unit: 'week', firstWeekday: 7 }, 2)).fields).toBe('30 2 * * 1')
  expect(crontabTimes(rule({ unit: 'week' }, -1)).fields).toBe('30 2 * * 0')
  expect(crontabTimes(rule({ firstMonth: 5 }, 3)).fields).toBe('30 2 3 2,5,8,11 *')
  expect(crontabTimes(intervalOf(900_000, '15m')).fields).toBe('*/15 * * * *')
  expect(crontabTimes(intervalOf(3_600_000, '1h')).fields).toBe('0 * * * *')
  expect(() => crontabTimes(rule({ unit: 'month' }, -1))).toThrow(/days from the end of a month/)
  expect(() => crontabTimes(rule({}, 40))).toThrow(/different month/)
  expect(() => crontabTimes(intervalOf(90 * 60_000, '90m'))).toThrow(/this interval/)
})

test('hostile arguments are quoted', () => {
  const words = ['fsck', "a b'c", '100%', '$HOME', 'x"y\\z']
  const printed = { name: 'nightly', rule: rule({ unit: 'day' }), words, folder: '/data/my %lake' }
  const [service] = systemdUnits(printed)
  expect(service?.text).toContain(`ExecStart=/usr/bin/env sluice fsck "a b'c" 100%% "$$HOME" "x\\"y\\\\z"\n`)
  expect(service?.text).toContain('WorkingDirectory=/data/my %%lake\n')
  const { text } = crontabLine(printed)
  const command = text.split('\n').at(-2)?.replace('30 2 * * * ', '').replaceAll('\\%', '%') ?? ''
  const ran = execFileSync('sh', ['-c', command.replace(/^cd .* sluice /, 'printf "%s\\n" ')], { encoding: 'utf8' })
  expect(ran).toBe(`${words.join('\n')}\n`)
})
