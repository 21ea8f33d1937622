/** A row of an answer, in the same form for files and SQL. */
export type AnswerRow = {
  /** Subject of the row, for messages. Rows of both sides with the same subject are compared field by field. */
  readonly about: string
  /** Fields that must be equal on both sides, in the same order. */
  readonly fields: Readonly<Record<string, unknown>>
  /** JSON texts that a checkpoint may shorten or rewrite: compared by value. SQL must have every value of the files. */
  readonly loose?: Readonly<Record<string, string | null>>
}
