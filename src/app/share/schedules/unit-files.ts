/** Schedules as systemd units or a crontab line, for use without a queue. Missed times are left to systemd and cron. */
import { SluiceError } from '../../../shared/errors.ts'
import { shellQuote } from '../../../shared/shell.ts'
import { crontabTimes, systemdTimes } from './cron-times.ts'
import { ruleWords } from './rule-text.ts'
import type { ScheduleRule } from './rule.ts'

export type UnitFile = { readonly file: string; readonly text: string }

export type Printed = {
  readonly name: string
  readonly rule: ScheduleRule
  /** Words of the command, without the program name. */
  readonly words: readonly string[]
  /** Working folder. */
  readonly folder: string
}

/**
 * A service and its timer, which catches up with the last missed time. @throws SluiceError BAD_FLAG for times that
 * systemd cannot express
 */
export function systemdUnits({ name, rule, words, folder }: Printed): readonly UnitFile[] {
  const unit = `sluice-${name}`
  const about = `Description=sluice ${name}: ${ruleWords(rule)}`
  return [
    {
      file: `${unit}.service`,
      text: `[Unit]\n${about}\n\n[Service]\nType=oneshot\nWorkingDirectory=${folder.replaceAll('%', '%%')}\nExecStart=/usr/bin/env sluice ${words.map(systemdWord).join(' ')}\n`,
    },
    {
      file: `${unit}.timer`,
      text: `[Unit]\n${about}\n\n[Timer]\n${systemdTimes(rule)
        .map((time) => `OnCalendar=${time}\n`)
        .join('')}Persistent=true\n\n[Install]\nWantedBy=timers.target\n`,
    },
  ]
}

/**
 * A crontab line, preceded by its time zone. @throws SluiceError BAD_FLAG for times and words that a crontab cannot
 * express
 */
export function crontabLine({ name, rule, words, folder }: Printed): UnitFile {
  if ([folder, ...words].some((word) => /[\r\n]/.test(word)))
    throw new SluiceError('BAD_FLAG', 'the command cannot be written into a crontab: it contains a line break', {
      hint: 'use --as systemd',
    })
  const { fields, zone } = crontabTimes(rule)
  // A percent sign ends the command of a crontab, even between quotes.
  const command = `cd ${shellQuote(folder)} && flock -n "$HOME/.sluice-${name}.lock" sluice ${words.map(shellQuote).join(' ')}`
  const text =
    `# sluice ${name}: ${ruleWords(rule)}\n` +
    `# cronie uses CRON_TZ. Other crons, such as Debian's, ignore it and use the zone of the machine, which must then be ${zone}.\n` +
    `CRON_TZ=${zone}\n${fields} ${command.replaceAll('%', '\\%')}\n`
  return { file: 'crontab', text }
}

/** Quotes a word for systemd.service(5), which uses no shell. */
function systemdWord(word: string): string {
  const plain = word.replaceAll('%', '%%').replaceAll('$', '$$$$')
  return /^[\w@%+=:,./-]+$/.test(plain)
    ? plain
    : `"${plain.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`
}
