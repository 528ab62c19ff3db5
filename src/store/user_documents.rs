//! Users and roles as documents: the changes that only the resource API makes.
