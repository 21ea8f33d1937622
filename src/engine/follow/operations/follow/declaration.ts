import type { AlertOptions } from '../../../../model/run/alert.ts'
import { COPY_EVENTS } from '../../../copy/operations/copy/declaration.ts'
import {
  ENDS,
  FOLLOW_CAUSES,
  LANES,
  PROVE_EVERY,
  RESYNC,
  STREAM,
  UNTIL_EQUAL,
} from '../../../copy/operations/copy/options.ts'
import { alertOptions } from '../../../run/operations/alert-options.ts'
import type { Declaration, InspectingCommand } from '../../../run/operations/declaration.ts'
import { PAGES } from '../../../run/operations/pages.ts'
import * as words from '../../../run/operations/words.ts'

/** Resumes the stream of a copy with the options of the command that began the stream; or ends the stream. */
export type FollowOperation = {
  readonly kind: 'follow'
  /** Id of the stream, or of the run that last worked on it. */
  readonly stream: string
  readonly to: string
  /** URL of the source; absent: the one in the ledger, which has no password. */
  readonly from?: string
  /** True to end the stream: its slot and publication are removed, and the tables stay as they are. */
  readonly end: boolean
  /** Set to apply changes only: rows that are not copied yet stay uncopied. */
  readonly changesOnly?: true | undefined
  readonly untilCaughtUp: boolean
  readonly untilEqual: boolean
  /** Ms between two rounds that compare all rows; absent: the value with which the copy was begun. */
  readonly proveEveryMs?: number
  /** Sessions that apply changes; absent: unchanged. */
  readonly lanes?: number
  /** Tables that are emptied and copied again. */
  readonly resync?: readonly string[]
  /** Set if the user confirms that this target replaces the one that the source has recorded. */
  readonly moved?: true | undefined
  readonly alert?: AlertOptions
}

/** Command-line options for the fields of this operation; `--report` starts another operation. */
export const FOLLOW_WORDS: words.OperationWords<FollowOperation> = {
  stream: words.text('run'),
  to: words.end('to'),
  from: words.optionalEnd('from'),
  end: words.flag('end'),
  changesOnly: words.set('changes-only'),
  untilCaughtUp: words.flag('until-caught-up'),
  untilEqual: words.flag('until-equal'),
  proveEveryMs: words.optionalDuration('prove-every'),
  lanes: words.optionalCount('apply-workers'),
  resync: words.names('resync'),
  moved: words.set('moved'),
  alert: words.alert,
}

/** Report of comparisons, differences, repairs and sign-offs since the stream began. */
export const STREAM_REPORT: InspectingCommand = { command: 'follow', keeps: ['from', 'to'], add: ['--report', '-'] }

export const follow: Declaration<FollowOperation, (typeof COPY_EVENTS)[number]> = {
  kind: 'follow',
  command: {
    ...PAGES.follow,
    takes: [
      STREAM,
      ...ENDS,
      {
        name: 'end',
        type: 'flag',
        default: false,
        describe: 'end the stream: its slot and publication are removed from the source, its tables stay as they are',
      },
      {
        name: 'changes-only',
        type: 'flag',
        default: false,
        describe:
          'for a stream that `sluice partition run` started: only apply changes to copied periods and copy nothing, so that the source can discard its log before the next run',
      },
      {
        name: 'until-caught-up',
        type: 'flag',
        default: false,
        describe: 'end once all changes that the source has now are applied',
      },
      UNTIL_EQUAL,
      PROVE_EVERY,
      LANES,
      RESYNC,
      {
        name: 'moved',
        type: 'flag',
        default: false,
        describe:
          'resume into this target, which has a new address or is another database; the earlier target is refused from then on',
      },
      ...alertOptions(FOLLOW_CAUSES),
      {
        name: 'report',
        type: 'text',
        completes: 'file',
        describe:
          'only report what was compared, found and repaired since the stream began: - is standard output, else a file (JSON if its name ends in .json, else Markdown)',
      },
    ],
    first: [
      'from',
      'to',
      'end',
      'until-caught-up',
      'until-equal',
      'prove-every',
      'apply-workers',
      'resync',
      'moved',
      'report',
    ],
    epilogue:
      'sluice copy --follow begins a stream; ctrl-c ends its run after the batch that is being applied, and slot and ' +
      'position are kept. While no run of a stream is active, its slot makes the source retain its log: end streams ' +
      'that are no longer needed.\n',
  },
  display: 'long',
  doing: 'following',
  stores: [
    { field: 'from', family: 'database', access: 'read', end: 'source' },
    { field: 'to', family: 'database', access: 'write', end: 'target' },
  ],
  about: 'stream',
  inspection: STREAM_REPORT,
  distributes: { by: 'parts', stream: true, needs: 'from' },
  alerts: { causes: FOLLOW_CAUSES },
  events: COPY_EVENTS,
}
