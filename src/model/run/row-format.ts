/** Output format of result rows. */
export type RowFormat = 'table' | 'csv' | 'json'
