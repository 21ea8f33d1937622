/** Options that have no effect on the rule of a schedule are refused by name. */
import { describe, expect, test } from 'vitest'
import { parseCommandLine } from '../../src/cli/parse/parse.ts'
import { asSluiceError } from '../../src/shared/errors.ts'

/** The rule of these options, or the error. */
async function ruleOf(words: string): Promise<string> {
  const argv = ['schedule', 'print', 'odd', ...words.split(' '), '--', 'fsck', '/tmp']
  try {
    const { request } = await parseCommandLine(argv, {})
    if (request.kind !== 'operation' || request.operation.kind !== 'schedule-print') throw new Error(request.kind)
    return request.operation.rule
  } catch (thrown) {
    const { code, message } = asSluiceError(thrown)
    return `${code} ${message}`
  }
}

describe('an option without effect on the rule is refused', () => {
  test.each([
    ['--every 1m --zone Mars/X', '--zone Mars/X is not a time zone'],
    ['--every 1m --zone Europe/Berlin', '--every 1m does not accept --zone'],
    ['--every hour --at 02:00', '--every hour does not accept --at'],
    ['--every 1h --day -1', '--every 1h does not accept --day'],
    ['--every 1h --first-month april', '--every 1h does not accept --first-month'],
    ['--every 1h --year-offset 1', '--every 1h does not accept --year-offset'],
    ['--every 1h --first-weekday sunday', '--every 1h does not accept --first-weekday'],
    ['--every day --day 3', '--every day does not accept --day'],
    ['--every day --first-month april', '--every day does not accept --first-month'],
    ['--every week --year-offset 1', '--every week does not accept --year-offset'],
    ['--every month --first-month 4', '--every month does not accept --first-month'],
    ['--every month --first-weekday 7', '--every month does not accept --first-weekday'],
    ['--every quarter --first-weekday 7', '--every quarter does not accept --first-weekday'],
    ['--every year --first-weekday 7', '--every year does not accept --first-weekday'],
  ])('%s', async (words, reported) => {
    expect(await ruleOf(words)).toBe(`BAD_FLAG ${reported}`)
  })
})

describe('an option with an effect, or with the default value, is accepted', () => {
  test.each([
    ['--every 1m --zone UTC --day 1', '1m'],
    ['--every day --at 01:30 --zone Europe/Berlin', /^day\(.*zone=Europe\/Berlin.*\) 1 01:30$/],
    ['--every week --day -1 --first-weekday sunday', /^week\(first-weekday=7.*\) -1 00:00$/],
    ['--every month --day 15', /^month\(.*\) 15 00:00$/],
    ['--every quarter --first-month april --year-offset 1', /^quarter\(first-month=4,year-offset=1.*\) 1 00:00$/],
    ['--every year --first-month april', /^year\(first-month=4.*\) 1 00:00$/],
  ])('%s', async (words, rule) => {
    expect(await ruleOf(words)).toMatch(rule)
  })
})
