/**
 * Parameters of the questions for one table. Plain data: the cold child process gets it as JSON, so that all runs ask
 * the same questions.
 */
import type { StructType } from '../../../delta/schema.ts'
import { QUESTIONS, type CompareQuestion, type QuestionId } from './questions.ts'
import type { AddPartitionValues } from './rows.ts'

export type ComparePlan = {
  readonly tableId: string
  /** URI of the table root in the catalog. */
  readonly location: string
  /** The compared version: the newest that log and catalog both have. */
  readonly version: number
  readonly logVersion: number
  readonly catalogVersion: number
  /** First version that log and catalog both have. */
  readonly from: number
  readonly partition: AddPartitionValues | null
  /** Condition on one data column, in the grammar of `--where`. */
  readonly predicate: string | null
  readonly oldVersion: number | null
  /** File for the question `file-origin`, with `path` as written in the log; null if no file was selected. */
  readonly origin: { readonly path: string; readonly dvId: string | null } | null
  /** How many commits `last-commits` asks for. */
  readonly commits: number
  /** `changes` asks for the commits above this version; null if log and catalog have only one version in common. */
  readonly changesFrom: number | null
  /** Schema at `version`. Without it values are compared as written. */
  readonly schema?: StructType
}

export type PlannedQuestion = CompareQuestion & {
  /** The title with this table's versions in it. At most 25 characters: it is a column of the printed table. */
  readonly asked: string
  /** Value selected for the question: the partition, the condition, the file. Empty if it needs none. */
  readonly detail: string
}

export type SkippedQuestion = { readonly id: QuestionId; readonly title: string; readonly reason: string }

/** The questions with the values of this table in their titles. */
export function plannedQuestions(
  plan: ComparePlan,
  wanted: ReadonlySet<QuestionId>,
  reasons: ReadonlyMap<QuestionId, string>,
): { readonly asked: readonly PlannedQuestion[]; readonly skipped: readonly SkippedQuestion[] } {
  const chosen = QUESTIONS.filter(({ id }) => wanted.has(id))
  return {
    asked: chosen
      .filter(({ id }) => !reasons.has(id))
      .map((question) => ({ ...question, asked: titleOf(question, plan), detail: detailOf(question.id, plan) })),
    skipped: chosen.flatMap(({ id, title }) => {
      const reason = reasons.get(id)
      return reason === undefined ? [] : [{ id, title, reason }]
    }),
  }
}

function titleOf({ id, title }: CompareQuestion, plan: ComparePlan): string {
  switch (id) {
    case 'old-snapshot':
      return `snapshot at v${plan.oldVersion}`
    case 'last-commits':
      return plan.commits === 1 ? 'last commit' : `last ${plan.commits} commits`
    case 'changes':
      return `changes v${plan.changesFrom} to v${plan.version}`
    default:
      return title
  }
}

function detailOf(id: QuestionId, plan: ComparePlan): string {
  switch (id) {
    case 'files-of-partition':
      return Object.entries(plan.partition ?? {})
        .map(([name, value]) => `${name}=${value ?? '__HIVE_DEFAULT_PARTITION__'}`)
        .join('/')
    case 'min-max':
      return plan.predicate ?? ''
    case 'file-origin':
      return plan.origin === null
        ? ''
        : `${plan.origin.path}${plan.origin.dvId === null ? '' : ` with ${plan.origin.dvId}`}`
    default:
      return ''
  }
}
