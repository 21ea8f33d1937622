/** How a table is divided into partitions, as text for users. */

/** @param byValue column of which each value is a partition; absent if partitions are periods of the calendar */
export function archivedByText({
  calendar,
  byValue,
}: {
  readonly calendar: string
  readonly byValue?: string
}): string {
  return byValue === undefined ? calendar : `by the values of ${byValue}`
}
