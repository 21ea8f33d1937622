/** Options of alerts: causes that raise an alert, its command, and the exit of the run. */
import { ALERT_CAUSES, CAUSE_FORMS, type AlertCause } from '../../../model/run/alert.ts'
import { inGroup, type Option } from './option.ts'

/** Causes of a command that raises an alert only if it ends failed or refused. */
export const FAILED: readonly AlertCause[] = ['failed']

/** @param causes causes that the command can raise, or a text that lists them @param group heading in the help */
export function alertOptions(causes: readonly AlertCause[] | string, group = 'Alerts:'): readonly Option[] {
  return inGroup(group, [
    {
      name: 'alert',
      type: 'text',
      shown: 'none',
      describe: `causes that raise an alert, comma-separated: ${typeof causes === 'string' ? causes : formsText(causes)}`,
    },
    {
      name: 'alert-command',
      type: 'text',
      shown: 'none',
      describe: 'with --alert: shell command to run for each alert',
    },
    {
      name: 'alert-exit',
      type: 'flag',
      default: false,
      describe: 'with --alert: the first alert ends the run with exit code 1; the same command resumes',
    },
  ])
}

/** Text of the causes, in the order of `ALERT_CAUSES`: `failed, fsck`. */
export function formsText(causes: readonly AlertCause[]): string {
  return ALERT_CAUSES.filter((cause) => causes.includes(cause))
    .map((cause) => CAUSE_FORMS[cause].form)
    .join(', ')
}
