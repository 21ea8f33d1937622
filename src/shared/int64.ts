/** The least and the greatest whole number of 64 bits with a sign. */
export const INT64 = { least: -(2n ** 63n), most: 2n ** 63n - 1n } as const
