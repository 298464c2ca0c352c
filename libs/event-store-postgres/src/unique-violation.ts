/** PostgreSQL's unique_violation of the named constraint or index. */
export function isUniqueViolation(error: unknown, constraint: string): boolean {
  const { driverError } = error as { driverError?: { code?: string; constraint?: string } };
  return driverError?.code === "23505" && driverError.constraint === constraint;
}
