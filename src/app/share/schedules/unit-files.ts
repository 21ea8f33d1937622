/** A schedule for those who have no queue: units of systemd, or a line of a crontab. They catch up, if at all, as their own programs do. */
import { shellQuote } from '../../../shared/shell.ts'
import { crontabTimes, systemdTimes } from './cron-times.ts'
import { ruleWords } from './rule-text.ts'
import type { ScheduleRule } from './rule.ts'

export type UnitFile = { readonly file: string; readonly text: string }

export type Printed = {
  readonly name: string
  readonly rule: ScheduleRule
  /** Without the program. */
  readonly words: readonly string[]
  /** Where it works. */
  readonly folder: string
}

/** A service and its timer, which catches up with the last time that it missed. @throws SluiceError BAD_FLAG for times that systemd cannot say */
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

/** A line, below what says whose clock counts. @throws SluiceError BAD_FLAG for times that a crontab cannot say */
export function crontabLine({ name, rule, words, folder }: Printed): UnitFile {
  const { fields, zone } = crontabTimes(rule)
  // A percent sign ends the command of a crontab, even between quotes.
  const command = `cd ${shellQuote(folder)} && flock -n "$HOME/.sluice-${name}.lock" sluice ${words.map(shellQuote).join(' ')}`
  const text =
    `# sluice ${name}: ${ruleWords(rule)}\n` +
    `# CRON_TZ counts in cronie; a cron that does not know it, such as that of Debian, goes by the zone of the machine, which has to be ${zone} then.\n` +
    `CRON_TZ=${zone}\n${fields} ${command.replaceAll('%', '\\%')}\n`
  return { file: 'crontab', text }
}

/** As systemd.service(5) reads a command line: no shell stands in between. */
function systemdWord(word: string): string {
  const plain = word.replaceAll('%', '%%').replaceAll('$', '$$$$')
  return /^[\w@%+=:,./-]+$/.test(plain)
    ? plain
    : `"${plain.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`
}
